"""A picture is judged as a person sees it, or rejected with a reason, whatever its file says it is."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from moderator.errors import UnreadableImage
from moderator.intake.decode import Decoded, decode, first_view, intake_id, prepare
from moderator.models import Preprocessing
from moderator.policy import Limits

SQUASHED = Preprocessing(48, 48)
TURNS = Image.Transpose
# What a camera stores, so that a viewer that obeys the EXIF tag shows the upright picture (EXIF 2.32, 4.6.4 A).
STORED_AS = {
    1: None,
    2: TURNS.FLIP_LEFT_RIGHT,
    3: TURNS.ROTATE_180,
    4: TURNS.FLIP_TOP_BOTTOM,
    5: TURNS.TRANSPOSE,
    6: TURNS.ROTATE_90,
    7: TURNS.TRANSVERSE,
    8: TURNS.ROTATE_270,
}


@pytest.fixture(scope="session")
def photograph(photographs: Path) -> Image.Image:
    """A small, not square, RGB photograph."""
    with Image.open(photographs / "chelsea.png") as opened:
        return opened.convert("RGB").resize((120, 80))


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Saves a picture under a name and returns its path."""

    def saved(picture: Image.Image, name: str, form: str | None = None, **options: object) -> Path:
        picture.save(tmp_path / name, form, **options)
        return tmp_path / name

    return saved


def judged(path: Path, limits: Limits | None = None) -> Decoded:
    """Decodes what must be judged."""
    decoded = decode(str(path), limits or Limits(), [SQUASHED])
    assert (decoded.fingerprint.state, decoded.fingerprint.reason) == ("judged", "")
    return decoded


def rejection(path: Path, limits: Limits | None = None) -> str:
    """The code with which a picture is rejected."""
    decoded = decode(str(path), limits or Limits(), [SQUASHED])
    assert decoded.fingerprint.state == "rejected"
    assert decoded.fingerprint.reason
    assert decoded.views == ()
    return decoded.fingerprint.code


def refusal(path: Path, limits: Limits | None = None) -> str:
    """The code with which a file is refused that is not even known by its hash."""
    with pytest.raises(UnreadableImage) as refused:
        decode(str(path), limits or Limits(), [SQUASHED])
    assert refused.value.reason
    return refused.value.code


def frames(count: int, side: int = 32) -> list[Image.Image]:
    step = 255 // count
    return [Image.new("RGB", (side, side), (index * step, 255 - index * step, 128)) for index in range(count)]


def labels(decoded: Decoded) -> list[str]:
    return [view.label for view in decoded.views]


def test_the_fingerprint_is_of_the_files_own_bytes(photograph: Image.Image, save: Callable[..., Path]) -> None:
    path = save(photograph, "one.png")
    fingerprint = judged(path).fingerprint
    assert fingerprint.sha256 == hashlib.sha256(path.read_bytes()).digest()
    assert (fingerprint.size, fingerprint.format) == (path.stat().st_size, "PNG")
    assert (fingerprint.width, fingerprint.height, fingerprint.frames) == (120, 80, 1)


def test_one_view_is_prepared_for_each_model(photograph: Image.Image, save: Callable[..., Path]) -> None:
    path = save(photograph, "one.png")
    decoded = decode(str(path), Limits(), [SQUASHED, Preprocessing(30, 20, "crop", "bicubic")])
    assert [pixels.shape for pixels in decoded.views[0].prepared] == [(48, 48, 3), (20, 30, 3)]
    assert np.array_equal(decoded.views[0].prepared[0], np.asarray(photograph.resize((48, 48), 2)))


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize(
    ("name", "options"), [("o.png", {}), ("o.webp", {"lossless": True}), ("o.tiff", {}), ("o.avif", {"quality": 100})]
)
def test_all_eight_exif_orientations_are_judged_upright(
    photograph: Image.Image, save: Callable[..., Path], orientation: int, name: str, options: dict[str, object]
) -> None:
    turn = STORED_AS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = photograph if turn is None else photograph.transpose(turn)
    decoded = judged(save(stored, name, exif=exif, **options))
    upright = judged(save(photograph, "upright.png"))
    assert (decoded.fingerprint.width, decoded.fingerprint.height) == (120, 80)
    if name == "o.avif":
        assert mean_difference(decoded, upright) < 5
    else:
        assert decoded.fingerprint.pixels == upright.fingerprint.pixels


def mean_difference(one: Decoded, other: Decoded) -> float:
    first, second = (decoded.views[0].prepared[0].astype(float) for decoded in (one, other))
    return float(np.abs(first - second).mean())


def test_real_photographs_of_all_eight_orientations_look_the_same(shared_data: Path) -> None:
    listed = (shared_data / "bad-inputs" / "manifest.csv").read_text().splitlines()
    paths = [line.split(",")[0] for line in listed if "Landscape_" in line and "exif-orientation" in line]
    decoded = [judged(shared_data / "bad-inputs" / name) for name in paths]
    assert len(decoded) >= 8
    assert {one.fingerprint.width > one.fingerprint.height for one in decoded} == {True}


@pytest.mark.parametrize("name", ["one.jpg", "one.png", "one.webp", "one.tif"])
@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ("2024:05:01 09:30:00", "2024-05-01 09:30:00"),
        ("2024:05:01 09:30:00\0", "2024-05-01 09:30:00"),
        ("0000:00:00 00:00:00", ""),
        ("    :  :     :  :  ", ""),
        (None, ""),
    ],
)
def test_the_moment_of_the_photograph_is_known_where_its_exif_tells_one(
    photograph: Image.Image, save: Callable[..., Path], name: str, told: str | None, taken: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = "a camera"  # Pillow writes no EXIF that is empty but for its inner parts
    if told is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = told
    assert judged(save(photograph, name, exif=exif.tobytes())).fingerprint.taken == taken


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_exif_that_cannot_be_read_turns_nothing(
    photograph: Image.Image, save: Callable[..., Path], exif: bytes
) -> None:
    decoded = judged(save(photograph, "one.jpg", exif=exif))
    assert (decoded.fingerprint.width, decoded.fingerprint.height) == (120, 80)


def test_cmyk_is_judged_as_the_colours_it_shows(photograph: Image.Image, save: Callable[..., Path]) -> None:
    printed = judged(save(photograph.convert("CMYK"), "one.jpg", quality=95))
    assert mean_difference(printed, judged(save(photograph, "one.png"))) < 5


def test_sixteen_bit_grey_is_scaled_and_not_clipped(photograph: Image.Image, save: Callable[..., Path]) -> None:
    grey = photograph.convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    narrow = judged(save(grey, "8.png")).fingerprint.pixels
    assert judged(save(wide, "16.png")).fingerprint.pixels == narrow
    assert judged(save(wide, "16.tiff")).fingerprint.pixels == narrow


def test_float_samples_that_are_no_numbers_are_rejected(save: Callable[..., Path]) -> None:
    samples = np.full((20, 20), np.nan, dtype=np.float32)
    assert rejection(save(Image.fromarray(samples), "nan.tiff")) == "undecodable"


def test_a_palette_is_judged_as_its_colours(photograph: Image.Image, save: Callable[..., Path]) -> None:
    few = photograph.quantize(64)
    assert few.mode == "P"
    palette, plain = judged(save(few, "p.png")), judged(save(few.convert("RGB"), "rgb.png"))
    assert palette.fingerprint.pixels == plain.fingerprint.pixels


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_is_judged_as_grey_rgb(photograph: Image.Image, save: Callable[..., Path], mode: str) -> None:
    grey = photograph.convert(mode)
    first, second = judged(save(grey, "grey.png")), judged(save(grey.convert("RGB"), "rgb.png"))
    assert first.fingerprint.pixels == second.fingerprint.pixels


def test_a_see_through_picture_is_judged_on_white_and_on_black(save: Callable[..., Path]) -> None:
    decoded = judged(save(Image.new("RGBA", (40, 40), (255, 255, 255, 0)), "clear.png"))
    assert labels(decoded) == ["whole", "whole, on black"]
    assert [int(view.prepared[0].mean()) for view in decoded.views] == [255, 0]


def test_a_see_through_palette_colour_is_seen_through(save: Callable[..., Path]) -> None:
    decoded = judged(save(Image.new("P", (40, 40), 0), "clear.gif", transparency=0))
    assert labels(decoded) == ["whole", "whole, on black"]


def test_an_alpha_channel_that_hides_nothing_adds_no_view(
    photograph: Image.Image, save: Callable[..., Path]
) -> None:
    solid = judged(save(photograph.convert("RGBA"), "rgba.png"))
    assert labels(solid) == ["whole"]
    assert solid.fingerprint.pixels == judged(save(photograph, "rgb.png")).fingerprint.pixels


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film.webp", "film.avif", "film.tiff"])
def test_every_frame_of_a_short_film_is_a_view(save: Callable[..., Path], name: str) -> None:
    first, *rest = frames(4)
    decoded = judged(save(first, name, save_all=True, append_images=rest))
    assert labels(decoded) == ["whole", "frame 1", "frame 2", "frame 3"]
    assert decoded.fingerprint.frames == 4


def test_a_long_film_is_sampled_evenly_from_its_first_to_its_last_frame(save: Callable[..., Path]) -> None:
    first, *rest = frames(100)
    decoded = judged(save(first, "film.gif", save_all=True, append_images=rest))
    numbers = [int(label.removeprefix("frame ").replace("whole", "0")) for label in labels(decoded)]
    assert len(numbers) == 16
    assert (numbers[0], numbers[-1]) == (0, 99)
    assert set(np.diff(numbers)) <= {6, 7}


def test_each_page_of_a_tiff_is_judged_upright(photograph: Image.Image, save: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    first, second = (picture.transpose(TURNS.ROTATE_90) for picture in (photograph, photograph.convert("L")))
    turned = save(first, "turned.tiff", save_all=True, append_images=[second], exif=exif)
    upright = save(photograph, "upright.tiff", save_all=True, append_images=[photograph.convert("L")])
    assert judged(turned).fingerprint.pixels == judged(upright).fingerprint.pixels


def test_a_picture_hashed_in_strips_has_the_digest_of_its_whole(save: Callable[..., Path]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 901, 3), dtype=np.uint8)
    whole = hashlib.sha256(b"901x700;" + noise.tobytes()).digest()
    assert judged(save(Image.fromarray(noise), "noise.png")).fingerprint.pixels == whole


def test_a_large_picture_is_reduced_before_it_is_resampled_and_all_of_it_is_seen(photograph: Image.Image) -> None:
    large = photograph.resize((1201, 799), Image.Resampling.BICUBIC)
    exact = np.asarray(large.resize((48, 48), Image.Resampling.BILINEAR), dtype=np.int16)
    assert np.abs(prepare(large, SQUASHED) - exact).max() <= 4
    assert not np.array_equal(prepare(large, SQUASHED), exact)


def test_fewer_frames_are_sampled_where_the_policy_says_so(save: Callable[..., Path]) -> None:
    first, *rest = frames(9)
    path = save(first, "film.gif", save_all=True, append_images=rest)
    assert labels(judged(path, Limits(frames=3))) == ["whole", "frame 4", "frame 8"]
    assert labels(judged(path, Limits(frames=1))) == ["whole"]


def test_two_films_with_one_first_frame_have_different_pixels(save: Callable[..., Path]) -> None:
    first, second, third = frames(3)
    one = judged(save(first, "one.gif", save_all=True, append_images=[second]))
    other = judged(save(first, "other.gif", save_all=True, append_images=[third]))
    assert one.fingerprint.pixels != other.fingerprint.pixels


@pytest.mark.parametrize("name", ["t.png", "t.jpg", "t.gif", "t.webp", "t.bmp", "t.avif"])
def test_a_truncated_picture_is_rejected_but_known_by_its_hash(
    photograph: Image.Image, save: Callable[..., Path], name: str
) -> None:
    path = save(photograph, name)
    torn = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(torn)
    assert rejection(path) == "undecodable"
    assert decode(str(path), Limits(), []).fingerprint.sha256 == hashlib.sha256(torn).digest()


def test_a_film_whose_last_frame_is_torn_is_rejected(save: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    first, *rest = (Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)) for _ in range(3))
    path = save(first, "film.gif", save_all=True, append_images=rest)
    path.write_bytes(path.read_bytes()[:-2000])
    assert rejection(path) == "undecodable"


@pytest.mark.parametrize("name", ["lies.png", "lies.txt", "lies", "lies.heic"])
def test_a_picture_is_judged_whatever_its_name_says(
    photograph: Image.Image, save: Callable[..., Path], name: str
) -> None:
    assert judged(save(photograph, name, "JPEG")).fingerprint.format == "JPEG"


def test_text_named_as_a_picture_is_rejected_and_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "one.jpg"
    path.write_text("no picture at all")
    assert rejection(path) == "unrecognised"


def test_text_named_as_text_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("no picture at all")
    assert refusal(path) == "not_an_image"


def test_an_empty_file_named_as_a_picture_is_told_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    path.touch()
    assert refusal(path) == "empty"


@pytest.mark.parametrize("head", [b"8BPS\0\1", b"%!PS-Adobe", b"\0\0\0\x18ftypheic\0\0\0\0", b"SIMPLE  ="])
def test_a_format_that_is_not_judged_is_rejected_by_name(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "one.dat"
    path.write_bytes(head + bytes(100))
    assert rejection(path) == "unsupported_format"


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


def test_a_bomb_is_rejected_by_its_header_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(100_000, 100_000))
    fingerprint = decode(str(path), Limits(), []).fingerprint
    assert fingerprint.code == "too_many_pixels"
    assert fingerprint.reason == "100000 x 100000 is 10000.0 megapixels, above 50 megapixels"


def test_a_header_just_within_the_limit_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes(png_that_claims(10_000, 5_000))
    assert rejection(path) == "undecodable"


def test_a_film_is_bounded_by_the_pixels_of_all_its_sampled_frames(save: Callable[..., Path]) -> None:
    first, *rest = frames(10)
    path = save(first, "film.gif", save_all=True, append_images=rest)
    assert rejection(path, Limits(megapixels=0.01)) == "too_many_pixels"
    assert judged(path, Limits(megapixels=0.01, frames=9))


def test_a_tiff_whose_second_page_is_a_bomb_is_rejected(save: Callable[..., Path]) -> None:
    path = save(Image.new("L", (10, 10)), "pages.tiff", save_all=True, append_images=[Image.new("L", (2000, 2000))])
    assert rejection(path, Limits(megapixels=1)) == "too_many_pixels"


def test_a_file_above_the_limit_is_refused_unread(photograph: Image.Image, save: Callable[..., Path]) -> None:
    path = save(photograph, "one.png")
    assert refusal(path, Limits(file_mb=0.001)) == "file_too_large"


def test_a_symbolic_link_is_not_opened(photograph: Image.Image, save: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(save(photograph, "one.png"))
    assert refusal(tmp_path / "link.png") == "unreadable"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert refusal(tmp_path / "pipe.png") == "not_regular"


def test_a_folder_and_an_absent_file_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "not_regular"
    assert refusal(tmp_path / "absent.png") == "unreadable"


def test_a_reason_names_no_address_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    assert "0x" not in decode(str(path), Limits(), []).fingerprint.reason


def test_other_limits_are_another_intake() -> None:
    assert intake_id(Limits()) == intake_id(Limits())
    assert intake_id(Limits()) != intake_id(Limits(frames=3))


@pytest.mark.parametrize("turn", list(TURNS))
def test_a_turned_or_flipped_photograph_has_one_of_the_eight_pdq_hashes(
    photographs: Path, save: Callable[..., Path], turn: Image.Transpose
) -> None:
    with Image.open(photographs / "astronaut.png") as opened:
        turned = judged(save(opened.transpose(turn), "turned.png")).fingerprint
    whole = judged(photographs / "astronaut.png").fingerprint
    assert len(whole.pdq) == 256
    assert whole.pdq_quality == 100
    asked = np.frombuffer(turned.pdq[:32], np.uint8)
    distances = np.bitwise_count(np.frombuffer(whole.pdq, np.uint8).reshape(8, 32) ^ asked).sum(axis=1)
    assert distances.min() <= 31  # PDQ's own threshold for "the same": ThreatExchange, pdq/README


def test_a_flat_picture_has_no_pdq_quality(save: Callable[..., Path]) -> None:
    assert judged(save(Image.new("RGB", (64, 64), "grey"), "flat.png")).fingerprint.pdq_quality == 0


def test_a_picture_of_one_pixel_is_judged_without_pdq(save: Callable[..., Path]) -> None:
    fingerprint = judged(save(Image.new("RGB", (1, 1)), "one.png")).fingerprint
    assert (fingerprint.pdq, fingerprint.width) == (b"", 1)


@pytest.mark.parametrize("size", [(55, 110), (110, 55), (166, 83), (1, 900), (900, 1), (640, 480), (224, 224)])
def test_cropping_scales_the_short_side_exactly_as_clips_processor_does(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    short, long = min(size), max(size)
    # transformers, image_transforms.get_resize_output_image_size: int(size * long / short)
    stretched = int(224 * long / short)
    scaled = picture.resize((224, stretched) if size[0] <= size[1] else (stretched, 224), Image.Resampling.BICUBIC)
    left, top = (scaled.width - 224) // 2, (scaled.height - 224) // 2
    expected = np.asarray(scaled.crop((left, top, left + 224, top + 224)))
    assert np.array_equal(prepare(picture, Preprocessing(224, 224, "crop", "bicubic")), expected)


@pytest.mark.parametrize(
    ("size", "shape"), [((500, 100), (20, 100, 3)), ((50, 80), (80, 50, 3)), ((9000, 1), (1, 100, 3))]
)
def test_containing_only_shrinks_and_keeps_the_shape(size: tuple[int, int], shape: tuple[int, int, int]) -> None:
    assert prepare(Image.new("RGB", size), Preprocessing(100, 100, "contain")).shape == shape


def test_a_picture_is_decoded_from_the_bytes_that_were_hashed(
    photograph: Image.Image, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(photograph, "one.png")
    before = path.read_bytes()
    real = hashlib.sha256

    def swapping(data: bytes = b"") -> object:
        stream = io.BytesIO()
        Image.new("RGB", (7, 7)).save(stream, "PNG")
        path.write_bytes(stream.getvalue())
        return real(data)

    monkeypatch.setattr("moderator.intake.decode.hashlib.sha256", swapping)
    fingerprint = decode(str(path), Limits(), []).fingerprint
    assert fingerprint.sha256 == real(before).digest()
    assert fingerprint.width == 120


def test_what_is_edited_of_a_picture_is_what_is_judged_of_it(
    photograph: Image.Image, save: Callable[..., Path]
) -> None:
    def edited(path: Path) -> npt.NDArray[np.uint8]:
        view = first_view(path, Limits(), 1024)
        assert view is not None
        return np.asarray(view)

    hidden = Image.new("RGBA", (40, 40), (200, 30, 30, 0))
    assert (edited(save(hidden, "clear.png")) == 255).all()
    grey = photograph.convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert np.array_equal(edited(save(wide, "16.png")), np.asarray(grey.convert("RGB")))
    broken = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHHHHI4s", 2, 0x112, 3, 1, 6, 0, 0x117, 2, 4, b"abc\0")
    assert edited(save(photograph, "broken.jpg", exif=broken + bytes(64))).shape == (80, 120, 3)
    assert first_view(Path("absent.png"), Limits(), 1024) is None
