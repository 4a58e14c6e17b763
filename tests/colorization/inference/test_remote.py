import concurrent.futures
import functools
import http.server
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from colorization.inference.colorizer import Colorizer
from colorization.inference.engines import remote, saved_model
from colorization.inference.engines.remote import RemoteEngine
from colorization.inference.model_folder import ModelError
from colorization.inference.options import OptionError
from pipelines.photos import photo_files
from tests.colorization.serving.double import Code, Double, Refusal

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small models")]

RNG = np.random.default_rng(0)
PHOTO = skimage.data.astronaut()[::8, ::8]


@pytest.fixture(scope="module")
def folder(undecided_model):
    return undecided_model


@pytest.fixture(scope="module")
def local(folder):
    return Colorizer(folder)


@pytest.fixture(scope="module")
def server(folder):
    with Double(folder) as double:
        yield double


@pytest.fixture
def double(server, monkeypatch):
    """The server, as new, and a client that is in no mood to wait."""
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    server.calls.clear()
    server.faults.clear()
    server.most_at_once, server.open_at, server.version = 0, 0, 1
    server.gate.set()
    return server


@pytest.fixture(params=["grpc", "rest"])
def address(request, double):
    return getattr(double, request.param)


@pytest.fixture(scope="module")
def subjects(server):
    return {name: Colorizer(server=getattr(server, name)) for name in ("grpc", "rest")}


@pytest.fixture(params=["grpc", "rest"])
def subject(request, subjects, double, monkeypatch):
    """A colorizer by either protocol."""
    found = subjects[request.param]
    for name in ("_timeout", "_patience"):
        monkeypatch.setattr(found._engine, name, 60)
    return found


def noise(*shape, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def assert_same(found, expected):
    """At most one level apart; of sixteen bits so little that eight would show."""
    assert found.dtype == expected.dtype and found.shape == expected.shape
    levels = 1 if found.dtype == np.uint8 else 16
    assert np.abs(found.astype(int) - expected).max() <= levels


@pytest.mark.parametrize(
    "photo",
    [
        PHOTO,
        noise(1, 1),
        noise(3, 400, 3),
        noise(90, 61, 3, dtype=np.uint16),
        noise(20, 30, 4),
    ],
    ids=lambda photo: f"{photo.dtype}{photo.shape}",
)
def test_colors_are_those_of_the_local_colorizer(local, subject, photo):
    assert_same(subject.colorize(photo), local.colorize(photo))
    calm, plain = subject.colorize(photo, saturation=0.3), local.colorize(photo, saturation=0.3)
    assert_same(calm, plain)


def test_variants_are_those_of_the_local_colorizer(local, subject):
    several = subject.variants(PHOTO, 5, seed=3)
    assert len(several) > 1
    for one, other in zip(several, local.variants(PHOTO, 5, seed=3), strict=True):
        assert_same(one, other)


def test_files_of_many_pages_and_bits_keep_what_they_have(local, subject, tmp_path):
    pages = [photo_files.Photo(noise(40, 50 + page, 3, dtype=np.uint16)) for page in range(2)]
    photo_files.write_photo(tmp_path / "a.tif", pages)
    local.colorize_file(tmp_path / "a.tif", tmp_path / "local.tif")
    subject.colorize_file(tmp_path / "a.tif", tmp_path / "remote.tif")
    ours, theirs = (
        photo_files.read_photo(tmp_path / f"{name}.tif") for name in ("remote", "local")
    )
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one.rgb, other.rgb)
        assert one.metadata == other.metadata


def test_what_travels_does_not_grow_with_the_photo(subject, monkeypatch):
    sizes = []
    serialize = tf.io.serialize_tensor

    def counting(tensor):
        data = serialize(tensor)
        sizes.append(len(data.numpy()))
        return data

    monkeypatch.setattr(tf.io, "serialize_tensor", counting)
    subject.colorize(noise(64, 96, 3))
    subject.colorize(noise(1280, 1920, 3))
    assert sizes[0] == sizes[1] < 10_000


def test_the_description_tells_what_is_served(subject):
    assert subject.description == {
        "name": "chroma",
        "version": 1,
        "gives_variants": True,
        "takes_hints": False,
        "gives_suggestions": True,
        "working_size": 32,
        "size_multiple": 16,
    }


@pytest.mark.slow
def test_a_model_without_variants(decided_version, tmp_path):
    path = decided_version(tmp_path, 7)
    with Double(path) as double:
        for address in (double.grpc, double.rest):
            subject = Colorizer(server=address)
            assert subject.description["version"] == 7
            assert_same(subject.colorize(PHOTO), Colorizer(path).colorize(PHOTO))
            with pytest.raises(OptionError, match="gives one coloring"):
                subject.variants(PHOTO, 2)


def test_threads_share_it(local, subject):
    pictures = [noise(50, 40 + index, 3) for index in range(6)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        together = list(pool.map(subject.colorize, pictures))
    for picture, colored in zip(pictures, together, strict=True):
        assert_same(colored, local.colorize(picture))


@pytest.mark.parametrize(
    "fault",
    [
        Refusal(Code.UNAVAILABLE, "The batch scheduling queue is full"),
        Refusal(Code.RESOURCE_EXHAUSTED, "Too much"),
        Refusal(Code.DEADLINE_EXCEEDED, "Too late"),
        "drop",
    ],
    ids=str,
)
def test_what_time_may_mend_is_tried_again(local, double, subject, fault):
    double.faults += [fault] * 3
    assert_same(subject.colorize(PHOTO), local.colorize(PHOTO))
    assert len(double.calls) == 4


@pytest.mark.parametrize("code", [Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.INTERNAL])
def test_a_refusal_is_not_tried_again_and_not_the_end(local, double, subject, code):
    double.faults.append(Refusal(code, "It is\nodd."))
    with pytest.raises(photo_files.PictureError, match="refuses it: .*It is odd"):
        subject.colorize(PHOTO)
    assert len(double.calls) == 1
    assert_same(subject.colorize(PHOTO), local.colorize(PHOTO))


@pytest.mark.parametrize("data", [b"no tensor", tf.io.serialize_tensor(tf.zeros([2, 2])).numpy()])
def test_the_model_refuses_damaged_bytes_and_lives(subject, data):
    inputs = {
        "lightness_bytes": np.array([data], object),
        "seed": np.zeros(1, np.int32),
        "count": np.ones(1, np.int32),
    }
    with pytest.raises(remote.Refused):
        subject._engine._transport.predict("chroma", 1, saved_model.NAME, inputs, 60)
    subject.colorize(PHOTO)


def test_requests_may_be_put_together_whatever_the_sizes_of_their_photos(double, folder):
    function = tf.saved_model.load(str(folder)).signatures[saved_model.NAME]
    small = [noise(*size, 1).astype(np.float32) / 3 for size in ((32, 48), (16, 16), (64, 32))]
    data = [tf.io.serialize_tensor(lightness) for lightness in small]
    numbers = {"seed": tf.constant([1, 2, 3]), "count": tf.constant([1, 3, 1])}
    together = function(lightness_bytes=tf.stack(data), **numbers)["ab_bytes"]
    for index, one in enumerate(data):
        alone = {name: values[index : index + 1] for name, values in numbers.items()}
        found = function(lightness_bytes=one[None], **alone)["ab_bytes"][0]
        assert found == together[index]


def test_retry_after_is_obeyed(double, subjects, monkeypatch):
    waits = []
    calling = functools.partial(remote.call, sleep=waits.append)
    monkeypatch.setattr(remote, "call", calling)
    for value in (7, "Wed, 21 Oct 2015 07:28:00 GMT", "soon"):
        double.faults.append(Refusal(Code.RESOURCE_EXHAUSTED, "Too much", value))
    subjects["rest"].colorize(PHOTO)
    assert 7 < waits[0] < 7.1 and waits[1] < 0.1 and waits[2] < 0.1


class TestCall:
    def call(self, outcomes, patience=120):
        now, waits = [0.0], []

        def sleep(seconds):
            waits.append(seconds)
            now[0] += seconds

        def work():
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        try:
            found = remote.call(work, patience=patience, clock=lambda: now[0], sleep=sleep)
        except remote.Unavailable as error:
            found = error
        return found, waits

    def test_waits_grow_and_differ(self):
        error = remote.Unavailable("away")
        found, waits = self.call(iter([error] * 7 + ["here"]))
        assert found == "here"
        for wait, longest in zip(waits, (0.5, 1, 2, 4, 8, 15, 15), strict=True):
            assert longest / 2 <= wait <= longest
        assert self.call(iter([error] * 7 + ["here"]))[1] != waits

    def test_patience_ends(self):
        error = remote.Unavailable("away")
        found, waits = self.call(iter(lambda: error, None))
        assert found is error and 100 < sum(waits) <= 120

    def test_a_server_that_asks_for_more_than_that_is_given_up(self):
        error = remote.Unavailable("away", 3600.0)
        assert self.call(iter([error])) == (error, [])


def test_a_server_that_hangs_is_given_up(double, subject, monkeypatch):
    monkeypatch.setattr(subject._engine, "_timeout", 0.1)
    monkeypatch.setattr(subject._engine, "_patience", 1.0)
    double.gate.clear()
    with pytest.raises(remote.ServerAway, match="does not answer"):
        subject.colorize(PHOTO)
    assert len(double.calls) > 1


@pytest.mark.slow
def test_a_server_that_goes_is_waited_for_until_it_is_back(folder, local, double):
    with Double(folder) as other:
        for address in (other.grpc, other.rest):
            subject = Colorizer(engine=RemoteEngine(address, patience=0.1))
            other.stop()
            with pytest.raises(remote.ServerAway, match="does not answer"):
                subject.colorize(PHOTO)
            subject._engine._patience = 60
            threading.Timer(0.1, other.start).start()
            assert_same(subject.colorize(PHOTO), local.colorize(PHOTO))


def test_a_version_that_is_no_longer_served_ends_the_run(double, subject):
    double.version = 2
    with pytest.raises(remote.ServerAway, match="no longer serves version 1 of chroma"):
        subject.colorize(PHOTO)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class TestStart:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        monkeypatch.setattr(remote, "_START_PATIENCE", 0.1)
        monkeypatch.setattr(remote, "_START_TIMEOUT", 2)

    def refused(self, address, model=None):
        with pytest.raises(ModelError) as caught:
            Colorizer(model, server=address)
        (line,) = str(caught.value).splitlines()
        assert address in line
        return line

    @pytest.mark.parametrize("scheme", ["grpc", "http"])
    def test_nobody_there(self, scheme):
        line = self.refused(f"{scheme}://127.0.0.1:{unused_port()}")
        assert "Start it" in line

    def test_no_such_model(self, address):
        line = self.refused(address, "sepia")
        assert "'sepia'" in line and "Latest(sepia)" in line and "--model" in line

    def test_a_model_without_the_signature(self, double, address):
        kept = dict(double.signature_defs)
        del double.signature_defs[saved_model.NAME]
        try:
            line = self.refused(address)
        finally:
            for name, definition in kept.items():
                double.signature_defs[name].CopyFrom(definition)
        assert "'client'" in line and "arrays" in line and "Export" in line
        assert "__saved_model" not in line

    def test_the_port_of_the_other_protocol(self, double):
        assert "8501" in self.refused(double.grpc.replace("grpc", "http"))
        assert "8500" in self.refused(double.rest.replace("http", "grpc"))

    def test_a_server_of_another_kind(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>Welcome")

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
            threading.Thread(target=other.serve_forever, args=(0.02,)).start()
            line = self.refused(f"http://127.0.0.1:{other.server_port}")
            other.shutdown()
        assert "TF Serving was expected" in line

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("host:8500", "scheme"),
            ("ftp://host", "scheme"),
            ("grpc://", "host"),
            ("grpc://host:port", "[Pp]ort"),
            ("grpc://host:99999", "[Pp]ort"),
            ("grpc://host/v1", "path"),
            ("http://me:secret@host", "host"),
            ("http://host?x", "host"),
            ("http://[::1", "IPv6"),
        ],
    )
    def test_no_address(self, address, message):
        with pytest.raises(ModelError, match=f"expected grpc://HOST:8500.*{message}"):
            Colorizer(server=address)

    def test_the_extra_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
        assert "pip install" in self.refused("grpc://host")


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("http://host", "http://host:8501/v1/models"),
        ("http://[::1]:9/", "http://[::1]:9/v1/models"),
        ("https://host/tf/", "https://host:443/tf/v1/models"),
    ],
)
def test_addresses(address, target):
    transport = remote._transport(address)
    assert isinstance(transport, remote.RestTransport) and transport._models == target
    assert isinstance(remote._transport("grpcs://host"), remote.GrpcTransport)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_tls(folder, local, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    with Double(folder, certificate=(key, certificate)) as double:
        monkeypatch.setattr(remote, "_START_PATIENCE", 0.1)
        with pytest.raises(ModelError, match="CERTIFICATE"):
            Colorizer(server=double.rest)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(certificate))
        for address in (double.rest, double.grpc):
            assert address.partition(":")[0] in ("https", "grpcs")
            subject = Colorizer(server=address)
            assert_same(subject.colorize(PHOTO), local.colorize(PHOTO))
