"""Whole runs of the training command, on a few small pictures."""

import csv
import dataclasses
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import tensorflow as tf

from colorization import export, flags, train
from colorization.config import Config, ConfigError
from colorization.evaluation import EvaluationError
from colorization.training import callbacks
from colorization.training.state import Checkpoints, TrainingError
from pipelines.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]

ADVERSARIAL = dict(
    generator="unet",
    depth=2,
    base_filters=4,
    discriminator="patch",
    discriminator_filters=4,
    discriminator_depth=1,
    loss_weight=10.0,
    pretrain_epochs=1,
    image_size=32,
    ema=0.5,
    schedule="plateau",
    patience=1,
    early_stopping=50,
)
WASSERSTEIN = dict(
    codec="lab_128",
    generator="colornet",
    base_filters=4,
    upsampling="resize",
    noise_size=8,
    discriminator="whole",
    discriminator_filters=4,
    discriminator_depth=2,
    discriminator_norm=False,
    adversarial_loss="wasserstein",
    gradient_penalty=10.0,
    generator_every=2,
    loss_weight=1.0,
    image_size=32,
    learning_rate=1e-4,
)
REGRESSION = dict(
    generator="unet",
    depth=2,
    base_filters=4,
    loss="huber",
    image_size=32,
    ema=0.5,
    schedule="cosine",
    lightness_jitter=0.1,
)
SMALL = dict(batch_size=4, epochs=4, steps_per_epoch=3, seed=5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for index in range(10):
        corners = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        picture = cv2.resize(corners, (48, 40), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    return folder


def _config(pictures, model_dir, **knobs):
    return Config(data=f"folder:{pictures}", model_dir=str(model_dir), **(SMALL | knobs))


def _state(model):
    optimizers = [model.optimizer, getattr(model, "discriminator_optimizer", None)]
    variables = list(model.variables)
    for optimizer in filter(None, optimizers):
        variables += optimizer.variables
    return [variable.numpy() for variable in variables]


def _history(model_dir):
    """Rows without their seconds, in which no two runs agree."""
    with open(pathlib.Path(model_dir) / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row.pop("seconds")) >= 0 for row in rows)
    return rows


def _assert_equal(first, second):
    assert len(first) == len(second)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("system", ["adversarial", "classification"])
def test_a_run_interrupted_and_resumed_equals_one_never_interrupted(
    system, pictures, classified_run, tmp_path, monkeypatch
):
    """Of all that draws random numbers or remembers; see below for a process that is killed."""
    if system == "adversarial":
        knobs = ADVERSARIAL | {
            "discriminator_norm": False,
            "adversarial_loss": "wasserstein",
            "gradient_penalty": 10.0,
            "generator_every": 2,
            "val_data": f"folder:{pictures}",
        }
        config = _config(pictures, tmp_path / "whole", **knobs)
    else:
        knobs = {"precision": "bfloat16", "schedule": "step", "epochs": 4}
        config = dataclasses.replace(classified_run, model_dir=str(tmp_path / "whole"), **knobs)
    save = Checkpoints.on_epoch_end

    def save_after_a_look(self, epoch, logs=None):
        if epoch == 2:
            # What a run leaves that is killed now: history is ahead of the checkpoints.
            shutil.copytree(tmp_path / "whole", tmp_path / "broken")
        save(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_epoch_end", save_after_a_look)
        whole = train.train(config)
    resumed = train.train(dataclasses.replace(config, model_dir=str(tmp_path / "broken")))

    state = _state(whole)
    assert all(np.isfinite(value).all() for value in state if value.dtype.kind == "f")
    _assert_equal(state, _state(resumed))
    assert _history(tmp_path / "whole") == _history(tmp_path / "broken")


def _best(model_dir):
    """Epoch and variables of a run's best checkpoint."""
    latest = tf.train.latest_checkpoint(f"{model_dir}/checkpoints/best")
    reader = tf.train.load_checkpoint(latest)
    # How often it was saved is no state of the run.
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    names = [name for name in names if not name.startswith("save_counter")]
    return int(latest.rpartition("-")[2]), [reader.get_tensor(name) for name in sorted(names)]


@pytest.mark.slow
def test_what_is_monitored_changes_nothing_but_what_is_best(
    pictures, squeezenet_file, tmp_path, monkeypatch
):
    plain = REGRESSION | {"image_size": 48, "val_data": f"folder:{pictures}", "epochs": 5}
    knobs = plain | {
        "feature_weights": str(squeezenet_file),
        "monitor": "squeezenet-kid",
        "monitor_every": 2,
        "monitor_pictures": 6,
        "early_stopping": 3,
    }
    # Made up, so that the best is not the last epoch.
    scores = {1: 0.5, 3: 0.3}
    measured, measure = [], callbacks.Figures.measure

    def score(self):
        epoch = int(self.model.optimizer.iterations) // SMALL["steps_per_epoch"] - 1
        measured.append(epoch)
        return measure(self) | {"squeezenet-kid": scores[epoch]}

    monkeypatch.setattr(callbacks.Figures, "measure", score)
    save = Checkpoints.on_epoch_end

    def save_then_look(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch == 3 and not (tmp_path / "broken").exists():
            # What a run leaves that is killed after the best checkpoint and before the latest.
            shutil.copytree(tmp_path / "whole", tmp_path / "broken")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_epoch_end", save_then_look)
        whole = train.train(_config(pictures, tmp_path / "whole", **knobs))
    assert measured == [1, 3] and _best(tmp_path / "whole")[0] == 4
    _assert_equal(
        _state(whole), _state(train.train(_config(pictures, tmp_path / "plain", **plain)))
    )

    assert not list(tmp_path.glob("broken/checkpoints/ckpt-4*"))
    resumed = train.train(_config(pictures, tmp_path / "broken", **knobs))
    _assert_equal(_state(whole), _state(resumed))
    assert _history(tmp_path / "whole") == _history(tmp_path / "broken")
    (epoch, best), (other_epoch, other) = _best(tmp_path / "whole"), _best(tmp_path / "broken")
    assert epoch == other_epoch == 4
    _assert_equal(best, other)
    rows = _history(tmp_path / "whole")
    assert [row["squeezenet-kid"] for row in rows] == ["", "0.5", "", "0.3", ""]
    assert 0 < float(rows[1]["psnr"]) < 99 and rows[0]["psnr"] == ""

    _, description = export.open_run(str(tmp_path / "whole"), export.Settings(checkpoint="best"))
    assert description["epochs"] == 4
    assert export.open_run(str(tmp_path / "whole"))[1]["epochs"] == 5
    with pytest.raises(TrainingError, match="--monitor=auto. Set --checkpoint=latest"):
        export.open_run(str(tmp_path / "plain"), export.Settings(checkpoint="best"))


@pytest.mark.slow
def test_figures_of_one_picture_are_refused(pictures, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(pictures / "0.png", tmp_path / "one")
    knobs = REGRESSION | {"image_size": 48, "monitor_every": 1}
    config = _config(pictures, tmp_path / "run", **knobs, val_data=f"folder:{tmp_path}/one")
    with pytest.raises(ConfigError, match="at least 2 pictures in color. Received: .*has 1"):
        train.train(config)


def test_a_wrong_network_for_figures_leaves_no_directory(pictures, tmp_path):
    (tmp_path / "text.h5").write_text("no weights")
    knobs = REGRESSION | {"image_size": 48, "monitor_every": 1, "val_data": f"folder:{pictures}"}
    knobs["feature_weights"] = str(tmp_path / "text.h5")
    with pytest.raises(EvaluationError, match="text.h5: expected weights of SqueezeNet"):
        train.train(_config(pictures, tmp_path / "run", **knobs))
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_left_as_it_is(finished_run):
    _assert_equal(finished_run.state, _state(train.train(finished_run.config)))
    assert len(_history(finished_run.config.model_dir)) == finished_run.config.epochs


def test_the_last_checkpoints_are_kept(finished_run):
    folder = pathlib.Path(finished_run.config.model_dir) / "checkpoints"
    assert {path.name.split(".")[0] for path in folder.glob("ckpt-*")} == {"ckpt-3", "ckpt-4"}


def test_a_run_says_what_it_was(finished_run):
    model_dir = pathlib.Path(finished_run.config.model_dir)
    names = {path.name for path in model_dir.iterdir()}
    assert {"recipe.flags", "environment.json", "history.csv", "events", "survey.json"} <= names
    sheet = cv2.imread(str(model_dir / "samples/epoch_0004.png"))
    assert sheet.shape == (3 * 32, 8 * 32, 3)


def test_tensorboard_reads_the_losses(finished_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model_dir = finished_run.config.model_dir
    events = EventAccumulator(f"{model_dir}/events").Reload()
    written = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors("loss")]
    expected = [float(row["loss"]) for row in _history(model_dir)]
    np.testing.assert_allclose(written, expected, rtol=1e-6)


def test_another_recipe_is_refused_with_the_differing_flags(finished_run):
    with pytest.raises(TrainingError, match="--epochs=4 there, --epochs=3 here"):
        train.train(dataclasses.replace(finished_run.config, epochs=3))


@pytest.mark.slow
def test_a_finished_run_continues_to_raised_epochs(finished_run, tmp_path, capsys):
    """On the cosine of the new length, whose end is the new last epoch."""
    shutil.copytree(finished_run.config.model_dir, tmp_path / "run")
    raised = dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run"), epochs=6)
    train.train(raised)
    said = capsys.readouterr().out
    assert "raised from 4 to 6. The rest follows the cosine of 6 epochs" in said
    assert "Resuming after epoch 4" in said
    rows, earlier = (_history(path) for path in (tmp_path / "run", finished_run.config.model_dir))
    assert rows[:4] == earlier and len(rows) == 6
    # Of an epoch's three steps the next one's rate is logged.
    expected = [1e-3 * (1 + np.cos(np.pi * epoch / 6)) / 2 for epoch in (5, 6)]
    found = [float(row["learning_rate"]) for row in rows[4:]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
    assert flags.parse_flagfile(tmp_path / "run/recipe.flags") == raised


def test_a_foreign_directory_is_refused(pictures, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("precious")
    with pytest.raises(TrainingError, match="recipe.flags"):
        train.train(_config(pictures, tmp_path / "run", **REGRESSION))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_changed_pictures_are_refused(finished_run, tmp_path):
    picture = finished_run.pictures / "00.png"
    shutil.move(picture, tmp_path)
    try:
        with pytest.raises(TrainingError, match="changed since the run began"):
            train.train(finished_run.config)
    finally:
        shutil.move(tmp_path / picture.name, picture)


def test_excluded_pictures_are_noted_and_a_changed_list_is_refused(finished_run):
    config, pictures = finished_run.config, finished_run.pictures
    survey = json.loads(pathlib.Path(config.model_dir, "survey.json").read_text())
    assert survey["num_pictures"] == 10
    assert survey["excluded"] == [f"{pictures}/01.png", f"{pictures}/09.png"]
    listed = pathlib.Path(config.exclude)
    kept = listed.read_text()
    try:
        # Reasons are for people.
        listed.write_text(f"{pictures}/09.png\n{pictures}/01.png\tugly\n")
        _assert_equal(finished_run.state, _state(train.train(config)))
        listed.write_text(f"{pictures}/01.png\n")
        with pytest.raises(TrainingError, match="or those that --exclude names, changed since"):
            train.train(config)
    finally:
        listed.write_text(kept)


def test_a_list_that_is_missing_leaves_no_directory(pictures, tmp_path):
    config = _config(pictures, tmp_path / "run", **REGRESSION, exclude=str(tmp_path / "none.txt"))
    with pytest.raises(UserError, match="--exclude is a file of names.*none.txt: No such file"):
        train.train(config)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(pictures, tmp_path):
    knobs = REGRESSION | {"learning_rate": 1e38, "loss": "mse", "steps_per_epoch": 30}
    with pytest.raises(TrainingError, match=r"not finite at step \d+ \(epoch \d\)"):
        train.train(_config(pictures, tmp_path / "run", **knobs))


@pytest.mark.slow
def test_a_dry_run_writes_nothing(pictures, tmp_path, capsys):
    train.train(_config(pictures, tmp_path / "run", **ADVERSARIAL, dry_run=True))
    assert "One step: " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_earlier_checkpoint(finished_run, tmp_path, monkeypatch):
    config = dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run"))
    save, calls = tf.train.CheckpointManager.save, []

    def fail_third(self, **arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
        return save(self, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", fail_third)
        with pytest.raises(TrainingError, match="No space left on device"):
            train.train(config)
    latest = tf.train.latest_checkpoint(tmp_path / "run/checkpoints")
    assert latest.endswith("ckpt-2")
    reader = tf.train.load_checkpoint(latest)
    assert all(reader.get_tensor(name) is not None for name in reader.get_variable_to_shape_map())


def test_knobs_that_came_since_do_not_make_it_another_run(finished_run, tmp_path):
    shutil.copytree(finished_run.config.model_dir, tmp_path / "run")
    recipe = tmp_path / "run/recipe.flags"
    lines = recipe.read_text().splitlines(keepends=True)
    recipe.write_text("".join(line for line in lines if not line.startswith("--aging=")))
    config = dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run"))
    _assert_equal(finished_run.state, _state(train.train(config)))


def test_a_damaged_checkpoint_is_named(finished_run, tmp_path):
    shutil.copytree(finished_run.config.model_dir, tmp_path / "run")
    (tmp_path / "run/checkpoints/ckpt-4.index").write_bytes(b"")
    with pytest.raises(TrainingError, match="ckpt-4"):
        train.train(dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run")))


@pytest.mark.slow
def test_early_stopping_ends_the_run_for_good(pictures, tmp_path):
    # A learning rate of 0 makes no progress.
    knobs = REGRESSION | {"learning_rate": 0.0, "early_stopping": 1, "epochs": 9, "crop_area": 1.0}
    config = _config(pictures, tmp_path / "run", **knobs, val_data=f"folder:{pictures}")
    train.train(config)
    rows = _history(tmp_path / "run")
    assert len(rows) < 9
    train.train(config)
    assert _history(tmp_path / "run") == rows
    # As if killed after the last checkpoint.
    (tmp_path / "run/finished").unlink()
    train.train(config)
    assert _history(tmp_path / "run") == rows


@pytest.mark.slow
@pytest.mark.parametrize("knobs", [{"precision": "float16"}, {"xla": True}], ids=str)
def test_every_way_of_computing_trains_and_resumes(knobs, pictures, tmp_path):
    config = _config(pictures, tmp_path / "run", **(ADVERSARIAL | {"epochs": 2} | knobs))
    state = _state(train.train(config))
    assert all(np.isfinite(value).all() for value in state if value.dtype.kind == "f")
    _assert_equal(state, _state(train.train(config)))


def _train_on_two_devices(config):
    """Trains in a process of its own, since TensorFlow must be told of devices before its start."""
    program = (
        "import json, sys\n"
        "from colorization import train\n"
        "from colorization.config import Config\n"
        "from tests.colorization import short_networks\n"
        "for place in short_networks.replacements(): setattr(*place)\n"
        "train.train(Config(**json.loads(sys.argv[1])))"
    )
    given = json.dumps(dataclasses.asdict(config) | {"logical_devices": 2})
    subprocess.run([sys.executable, "-c", program, given], check=True, cwd=ROOT)


def _losses(model_dir):
    rows = _history(model_dir)
    columns = [name for name in rows[0] if name.endswith(("loss", "distance", "penalty"))]
    return np.array([[float(row[name] or 0) for name in columns] for row in rows])


@pytest.mark.slow
@pytest.mark.parametrize("system", ["classification", "wgan_gp"])
def test_two_devices_have_the_losses_of_one(system, pictures, classified_run, tmp_path):
    config = classified_run
    if system == "wgan_gp":
        # At a full learning rate rounding alone parts a GAN in the fifth digit within 20 steps, one
        # device with one thread as much as two devices. The penalty jumps where rounding turns the
        # sign of a unit of the critic, the further the fewer units there are.
        knobs = {"learning_rate": 1e-5, "epochs": 4, "discriminator_filters": 16}
        config = _config(pictures, tmp_path / "one", **WASSERSTEIN | knobs)
        train.train(config)
    _train_on_two_devices(dataclasses.replace(config, model_dir=str(tmp_path / "two")))
    one, two = _losses(config.model_dir), _losses(tmp_path / "two")
    assert len(one) == config.epochs
    # A critic's loss is a difference of scores of about 1, and crosses zero.
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)


def test_a_killed_run_goes_on_to_the_same_weights(finished_run, tmp_path):
    config = dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run"))
    words = flags.format_flags(config).splitlines()
    broken = subprocess.Popen([sys.executable, "-m", "colorization.train", *words], cwd=ROOT)
    while not list(tmp_path.glob("run/checkpoints/ckpt-1*")) and broken.poll() is None:
        time.sleep(0.01)
    broken.send_signal(signal.SIGKILL)
    assert broken.wait() == -signal.SIGKILL
    _assert_equal(finished_run.state, _state(train.train(config)))
    assert _history(tmp_path / "run") == _history(finished_run.config.model_dir)
