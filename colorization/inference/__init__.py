"""Photo in, colored photo out: any size, its own lightness kept."""
