"""Colors black-and-white pictures, and trains the networks that do."""
