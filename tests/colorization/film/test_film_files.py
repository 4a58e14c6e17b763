import fractions

import av
import numpy as np
import pytest

from colorization.film import FilmError
from colorization.film.film_reader import Film
from colorization.film.film_writer import CONTAINERS, SegmentWriter, check_container, join
from tests.colorization.film import films


def copy(source, path, span=None, per_segment=10):
    """Writes a film's own frames in segments, and joins them."""
    film, segments, writer = Film(source), [], None
    for number, frame in enumerate(film.frames()):
        if number % per_segment == 0:
            if writer:
                writer.close()
            segments.append(path.with_name(f"{number}.segment"))
            writer = SegmentWriter(segments[-1], film, "h264", 4)
        writer.write(film.rgb(frame), frame.time)
    writer.close()
    join(segments, source, path, CONTAINERS[path.suffix], span, "a note")
    return path


def pictures(count=25, height=48, width=64):
    return [films.gray_picture(number, height, width) for number in range(count)]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_levels_and_times_of_every_frame_are_kept_over_segments(tmp_path, suffix):
    source = films.make_film(tmp_path / f"a{suffix}", pictures())
    before, after = films.read(source), films.read(copy(source, tmp_path / f"b{suffix}"))
    assert [time for time, _ in after] == [time for time, _ in before]
    errors = [
        np.abs(a.astype(int) - b).mean() for (_, a), (_, b) in zip(after, before, strict=True)
    ]
    assert max(errors) < 2.5


def test_times_of_a_film_of_variable_rate_are_kept(tmp_path):
    times = np.cumsum([25, 50, 20, 300, 25, 100] * 4).tolist()
    source = films.make_film(tmp_path / "a.mp4", pictures(24), times=times)
    before, after = films.read(source), films.read(copy(source, tmp_path / "b.mp4"))
    assert [time for time, _ in after] == [time for time, _ in before]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_sound_is_copied_bit_for_bit_with_its_language(tmp_path, suffix):
    source = films.make_film(tmp_path / f"a{suffix}", pictures(), sound="aac")
    result = copy(source, tmp_path / f"b{suffix}")
    assert films.packets(result) == films.packets(source)
    with av.open(str(result)) as film:
        assert film.streams.audio[0].language == "fra"


def test_sound_goes_into_another_container(tmp_path):
    source = films.make_film(tmp_path / "a.avi", pictures(), sound="mp3")
    result = copy(source, tmp_path / "b.mkv")
    assert [data for _, data in films.packets(result)] == [
        data for _, data in films.packets(source)
    ]


def test_subtitles_and_fonts_are_copied(tmp_path):
    text, plain = tmp_path / "a.srt", films.make_film(tmp_path / "plain.mkv", pictures())
    text.write_text("1\n00:00:00,200 --> 00:00:00,600\nHello\n\n")
    source = tmp_path / "a.mkv"
    with (
        av.open(str(plain)) as film,
        av.open(str(text)) as words,
        av.open(str(source), "w") as output,
    ):
        inputs = film.streams.video[0], words.streams.subtitles[0]
        copies = [output.add_stream_from_template(stream) for stream in inputs]
        output.add_attachment("a.ttf", "font/ttf", b"letters")
        for container, stream in zip((film, words), copies, strict=True):
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
    result = copy(source, tmp_path / "b.mkv")
    assert films.packets(result, "subtitle") == films.packets(source, "subtitle") != []
    with av.open(str(result)) as film:
        (font,) = film.streams.attachments
        assert font.name == "a.ttf" and font.data == b"letters"


def test_metadata_chapters_and_a_note_are_kept(tmp_path):
    chapters = [
        {"id": 1, "start": 0, "end": 500, "time_base": fractions.Fraction(1, 1000)}
        | {"metadata": {"title": "One"}}
    ]
    source = films.make_film(
        tmp_path / "a.mp4", pictures(), metadata={"title": "Harvest"}, chapters=chapters
    )
    with av.open(str(copy(source, tmp_path / "b.mp4"))) as film:
        assert film.metadata["title"] == "Harvest"
        assert film.metadata["comment"] == "a note"
        (chapter,) = film.chapters()
        assert chapter["metadata"] == {"title": "One"}
        assert chapter["end"] * chapter["time_base"] == fractions.Fraction(1, 2)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_film_from_a_phone_is_turned_upright(tmp_path, degrees):
    upright = pictures()
    stored = [np.ascontiguousarray(np.rot90(each, -degrees // 90)) for each in upright]
    source = films.make_film(tmp_path / "a.mp4", stored, rotation=degrees)
    film = Film(source)
    assert (film.height, film.width) == (48, 64)
    shown = film.rgb(next(film.frames()))
    assert np.abs(shown.astype(int) - upright[0]).mean() < 2
    assert films.read(copy(source, tmp_path / "b.mp4"))[0][1].shape == (48, 64, 3)


def test_the_shape_of_pixels_is_kept(tmp_path):
    aspect = fractions.Fraction(16, 11)
    source = films.make_film(tmp_path / "a.mp4", pictures(), aspect=aspect)
    assert Film(source).pixel_aspect == aspect
    with av.open(str(copy(source, tmp_path / "b.mp4"))) as film:
        assert film.streams.video[0].sample_aspect_ratio == aspect


def test_color_tags_are_kept_and_used(tmp_path):
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 2}
    source = films.make_film(tmp_path / "a.mp4", pictures(), **tags)
    with av.open(str(copy(source, tmp_path / "b.mp4"))) as film:
        context = film.streams.video[0].codec_context
        assert {name: getattr(context, name) for name in tags} == tags


def test_ten_bits_are_kept(tmp_path):
    source = films.make_film(tmp_path / "a.mkv", pictures(), kind="yuv420p10le")
    assert Film(source).rgb(next(Film(source).frames())).dtype == np.uint16
    with av.open(str(copy(source, tmp_path / "b.mkv"))) as film:
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p10le"


def test_odd_sides_get_one_more_row_and_column(tmp_path):
    source = films.make_film(tmp_path / "a.mkv", pictures(3, 47, 63), kind="gray", codec="ffv1")
    ((_, first), *_) = films.read(copy(source, tmp_path / "b.mp4"))
    assert first.shape == (48, 64, 3)
    assert np.abs(first[:47, :63].astype(int) - films.gray_picture(0, 47, 63)).mean() < 2


def test_a_film_of_one_frame_is_a_film(tmp_path):
    source = films.make_film(tmp_path / "a.mp4", pictures(1))
    assert len(films.read(copy(source, tmp_path / "b.mp4"))) == 1


def test_a_part_begins_at_zero(tmp_path):
    source = films.make_film(tmp_path / "a.mp4", pictures(48), sound="aac")
    span = fractions.Fraction(1, 2), fractions.Fraction(3, 2)
    film, segment = Film(source), tmp_path / "segment"
    writer = SegmentWriter(segment, film, "h264", 4)
    for frame in film.frames():
        if span[0] <= film.seconds(frame) < span[1]:
            writer.write(film.rgb(frame), frame.time)
    writer.close()
    join([segment], source, tmp_path / "b.mp4", "mp4", span, "")
    times = [time for time, _ in films.read(tmp_path / "b.mp4")]
    assert times == [fractions.Fraction(number, 24) for number in range(24)]
    sound = films.packets(tmp_path / "b.mp4")
    assert 0 <= sound[0][0] < 0.03 and 0.9 < sound[-1][0] < 1
    assert {data for _, data in sound} < {data for _, data in films.packets(source)}


def test_two_fields_become_one_picture(tmp_path):
    woven = [films.gray_picture(number).copy() for number in range(0, 20, 2)]
    for number, picture in enumerate(woven):
        picture[1::2] = films.gray_picture(2 * number + 9)[1::2]
    source = films.make_film(tmp_path / "a.mkv", woven, options={"flags": "+ildct"})
    film = Film(source)
    assert film.is_interlaced
    frames = list(film.frames())
    assert len(frames) == len(woven)
    before, after = woven[5].astype(int), film.rgb(frames[5]).astype(int)
    assert np.abs(np.diff(after, axis=0)).mean() < 0.5 * np.abs(np.diff(before, axis=0)).mean()


def test_a_truncated_film_is_read_as_far_as_it_goes(tmp_path):
    source = films.make_film(tmp_path / "whole.mkv", pictures(100), gop_size=5)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    film = Film(cut)
    assert 10 < len(list(film.frames())) < 90
    assert "seconds can be read" in film.damage


@pytest.mark.parametrize("name", ["text.mp4", "empty.mkv", "missing.mp4", "cut.mp4", "sound.mp4"])
def test_what_is_no_film_is_one_clear_line(tmp_path, name):
    path = tmp_path / name
    if name == "text.mp4":
        path.write_text("This is a letter.\n" * 100)
    elif name == "empty.mkv":
        path.write_bytes(b"")
    elif name == "cut.mp4":
        whole = films.make_film(tmp_path / "whole.mp4", pictures())
        path.write_bytes(whole.read_bytes()[:-200])
    elif name == "sound.mp4":
        with av.open(str(path), "w") as output:
            stream = output.add_stream("aac", rate=48_000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
            frame.rate = 48_000
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    with pytest.raises(FilmError) as error:
        Film(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert "xpected" in str(error.value)


def test_a_container_that_cannot_hold_the_sound_is_refused_before_the_work(tmp_path):
    source = films.make_film(tmp_path / "a.mov", pictures(2), sound="pcm_mulaw")
    check_container(source, "c.mov")
    with pytest.raises(FilmError, match="can't hold pcm_mulaw.* another of"):
        check_container(source, "c.mp4")
