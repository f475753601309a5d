"""Edits of colours and detail: recompression, blur, noise, brightness and the filters of an app."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from moderator.edits.edit import Edit, Scene, picture_of

SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], dtype=np.float32)
"""Weights of red, green and blue in those of sepia (the filter of web pages: W3C Filter Effects, `sepia(1)`)."""
GREYS = ((0.299, 0.587, 0.114), (0.2126, 0.7152, 0.0722), (1 / 3, 1 / 3, 1 / 3))
"""Weights of red, green and blue in grey: of ITU-R BT.601 (Pillow, JPEG), of BT.709 (browsers), and their mean."""


def jpeg(quality: int) -> Callable[[Image.Image, Scene], Image.Image]:
    """Returns a recompression at this JPEG quality."""

    def change(picture: Image.Image, _: Scene) -> Image.Image:
        saved = io.BytesIO()
        picture.save(saved, "JPEG", quality=quality)
        with Image.open(saved) as opened:
            return opened.convert("RGB")

    return change


def blur(picture: Image.Image, _: Scene) -> Image.Image:
    """Blurs by a Gaussian of 1% of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(max(1.0, min(picture.size) / 100)))


def sharpen(picture: Image.Image, _: Scene) -> Image.Image:
    """Sharpens far too much."""
    return picture.filter(ImageFilter.UnsharpMask(radius=3, percent=300, threshold=0))


def noise(picture: Image.Image, scene: Scene) -> Image.Image:
    """Adds Gaussian noise of 20 levels to each channel."""
    levels = np.asarray(picture, dtype=np.float32)
    return picture_of(levels + scene.random.normal(0, 20, levels.shape))


def brightness(picture: Image.Image, scene: Scene) -> Image.Image:
    """Makes it much darker or brighter."""
    return ImageEnhance.Brightness(picture).enhance(0.5 if scene.random.random() < 0.5 else 1.6)


def contrast(picture: Image.Image, scene: Scene) -> Image.Image:
    """Makes it flat or harsh."""
    return ImageEnhance.Contrast(picture).enhance(0.5 if scene.random.random() < 0.5 else 1.8)


def gamma(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lifts or sinks the middle tones by a power of 1.8."""
    power = 1.8 if scene.random.random() < 0.5 else 1 / 1.8
    return picture.point([round(255 * (level / 255) ** power) for level in range(256)] * 3)


def saturation(picture: Image.Image, scene: Scene) -> Image.Image:
    """Makes the colours pale or garish."""
    return ImageEnhance.Color(picture).enhance(0.3 if scene.random.random() < 0.5 else 2.5)


def greyscale(picture: Image.Image, scene: Scene) -> Image.Image:
    """Takes the colours away, by one of three usual weights of them."""
    weights = np.array(GREYS[int(scene.random.integers(len(GREYS)))], dtype=np.float32)
    return picture_of(np.rint(np.asarray(picture, dtype=np.float32) @ weights)).convert("RGB")


def colour_cast(picture: Image.Image, scene: Scene) -> Image.Image:
    """Multiplies each channel by a factor of its own, from .7 to 1.3, as a wrong white balance does."""
    return picture_of(np.asarray(picture, dtype=np.float32) * scene.random.uniform(0.7, 1.3, 3))


def vignette(picture: Image.Image, _: Scene) -> Image.Image:
    """Darkens towards the corners, to a quarter."""
    down, across = np.mgrid[-1 : 1 : picture.height * 1j, -1 : 1 : picture.width * 1j]
    shade = 1 - 0.75 * np.minimum(1, (down**2 + across**2) / 2)
    return picture_of(np.asarray(picture, dtype=np.float32) * shade[..., None])


def old_photograph(picture: Image.Image, scene: Scene) -> Image.Image:
    """Sepia, faded, with a vignette: the filter of an app."""
    toned = ImageOps.colorize(picture.convert("L"), "#2b1d0e", "#f3e5c8", mid="#a67b5b")
    return vignette(Image.blend(picture, toned, 0.8), scene)


def sepia(picture: Image.Image, scene: Scene) -> Image.Image:
    """Makes it brown, as an old print, by 70% or all the way."""
    share = 1.0 if scene.random.random() < 0.5 else 0.7
    weights = share * SEPIA + (1 - share) * np.eye(3, dtype=np.float32)
    return picture_of(np.asarray(picture, dtype=np.float32) @ weights.T)


def equalised(picture: Image.Image, scene: Scene) -> Image.Image:
    """Makes all levels as frequent as each other, those of each channel or of brightness alone."""
    if scene.random.random() < 0.5:
        return ImageOps.equalize(picture)
    brightness, *colours = picture.convert("YCbCr").split()
    return Image.merge("YCbCr", (ImageOps.equalize(brightness), *colours)).convert("RGB")


def auto_levels(picture: Image.Image, _: Scene) -> Image.Image:
    """Stretches each channel from black to white, the utmost hundredth of levels at either end aside."""
    return ImageOps.autocontrast(picture, cutoff=1)


def clarity(picture: Image.Image, scene: Scene) -> Image.Image:
    """Raises the contrast of each place with those around it, as a filter for landscapes does."""
    radius = max(picture.size) * (0.03 if scene.random.random() < 0.5 else 0.07)
    return picture.filter(ImageFilter.UnsharpMask(radius, percent=int(scene.random.integers(70, 151)), threshold=0))


def posterised(picture: Image.Image, _: Scene) -> Image.Image:
    """Leaves 8 levels of each channel."""
    return ImageOps.posterize(picture, 3)


def palette(picture: Image.Image, scene: Scene) -> Image.Image:
    """Leaves 8 to 32 colours of its own, dithered or not, as a GIF does."""
    colours, dithered = int(2 ** scene.random.integers(3, 6)), bool(scene.random.random() < 0.5)
    dither = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE
    own = picture.quantize(colours)
    return picture.quantize(palette=own, dither=dither).convert("RGB")


def grain(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lays coarse grain over it, of 15 to 30 levels, as of a film that needs little light."""
    width, height = picture.size
    fine = scene.random.normal(0, scene.random.uniform(15, 30), (max(1, height * 2 // 3), max(1, width * 2 // 3)))
    coarse = Image.fromarray(fine.astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    return picture_of(np.asarray(picture, dtype=np.float32) + np.asarray(coarse)[..., None])


def dithered(picture: Image.Image, _: Scene) -> Image.Image:
    """Leaves black and white dots, as in a newspaper."""
    return picture.convert("1").convert("RGB")


def duotone(picture: Image.Image, scene: Scene) -> Image.Image:
    """Makes its tones those from one dark colour to one light one."""
    dark, light = scene.random.integers(0, 90, 3), scene.random.integers(165, 256, 3)
    share = (np.asarray(picture.convert("L"), dtype=np.float32) / 255)[..., None]
    return picture_of((1 - share) * dark + share * light)


def haze(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lays a cloud of one light colour over it, at most two thirds thick, as fog, smoke or light that fell in."""
    random = scene.random
    cloud = Image.fromarray(random.uniform(0, random.uniform(0.45, 0.67), (4, 4)).astype(np.float32))
    thick = np.asarray(cloud.resize(picture.size, Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
    colour = random.uniform(140, 255, 3) if random.random() < 0.5 else np.full(3, random.uniform(190, 255))
    return picture_of((1 - thick) * np.asarray(picture, dtype=np.float32) + thick * colour)


def hdr(picture: Image.Image, scene: Scene) -> Image.Image:
    """Equalises brightness in each part of it, as far as a limit (CLAHE: Zuiderveld, 1994): the filter named HDR."""
    import cv2  # takes longer than all else here

    limited = cv2.createCLAHE(clipLimit=float(scene.random.uniform(2, 5)), tileGridSize=(8, 8))
    lightness, *colours = cv2.split(cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2LAB))
    return Image.fromarray(cv2.cvtColor(cv2.merge((limited.apply(lightness), *colours)), cv2.COLOR_LAB2RGB))


def split_channels(picture: Image.Image, scene: Scene) -> Image.Image:
    """Draws red and blue apart, each by 1 to 2.5% of the width, as a broken screen does."""
    red, green, blue = picture.split()
    away = max(1, round(picture.width * scene.random.uniform(0.01, 0.025)))
    return Image.merge("RGB", (ImageChops.offset(red, away, 0), green, ImageChops.offset(blue, -away, 0)))


def other_hues(picture: Image.Image, scene: Scene) -> Image.Image:
    """Turns all hues by a ninth of a turn or more."""
    hue, *others = picture.convert("HSV").split()
    turn = round(255 * scene.random.uniform(1 / 9, 8 / 9))
    return Image.merge("HSV", (hue.point([(level + turn) % 256 for level in range(256)]), *others)).convert("RGB")


def light_leak(picture: Image.Image, scene: Scene) -> Image.Image:
    """Lets warm light fall in from one side, as into an old camera."""
    random = scene.random
    far = np.linspace(0, 1, picture.width, dtype=np.float32)[None, :, None]
    far = far if random.random() < 0.5 else 1 - far
    warm = np.array([random.uniform(0.8, 1), random.uniform(0.3, 0.6), random.uniform(0, 0.3)], dtype=np.float32)
    light = (random.uniform(0.7, 1) - far * random.uniform(1.5, 2.5)).clip(0, 1) * warm
    return picture_of(255 - (255 - np.asarray(picture, dtype=np.float32)) * (1 - light))


def spotlight(picture: Image.Image, scene: Scene) -> Image.Image:
    """Leaves a round place of it lit and the rest in the dark."""
    down, across = np.indices(picture.size[::-1], dtype=np.float32)
    middle = scene.random.uniform(0.35, 0.65, 2) * picture.size[::-1]
    far = np.hypot(down - middle[0], across - middle[1]) / max(picture.size)
    lit = 0.15 + 0.9 * np.exp(-((far / scene.random.uniform(0.25, 0.4)) ** 4))
    return picture_of(np.asarray(picture, dtype=np.float32) * lit[..., None])


EDITS = (
    Edit("jpeg-30", "quality", "mild", "saved at quality 30", jpeg(30)),
    Edit("jpeg-10", "quality", "medium", "saved at quality 10", jpeg(10)),
    Edit("jpeg-5", "quality", "hard", "saved at quality 5", jpeg(5)),
    Edit("blur", "quality", "medium", "blurred", blur),
    Edit("sharpen", "quality", "mild", "sharpened far too much", sharpen),
    Edit("noise", "quality", "medium", "with noise", noise),
    Edit("brightness", "tone", "mild", "much darker or brighter", brightness),
    Edit("contrast", "tone", "mild", "flat or harsh", contrast),
    Edit("gamma", "tone", "mild", "middle tones lifted or sunk", gamma),
    Edit("saturation", "tone", "mild", "colours pale or garish", saturation),
    Edit("greyscale", "tone", "medium", "without colours", greyscale),
    Edit("colour-cast", "tone", "mild", "wrong white balance", colour_cast),
    Edit("vignette", "tone", "mild", "dark towards the corners", vignette),
    Edit("filter", "tone", "medium", "an app's filter: sepia, faded, dark corners", old_photograph),
    Edit("sepia", "tone", "medium", "brown, as an old print", sepia),
    Edit("equalise", "tone", "medium", "all levels as frequent as each other", equalised),
    Edit("auto-levels", "tone", "mild", "each colour stretched from black to white", auto_levels),
    Edit("clarity", "tone", "medium", "each place in contrast with those around it", clarity),
    Edit("posterise", "tone", "medium", "8 levels of each colour", posterised),
    Edit("palette", "tone", "medium", "8 to 32 colours, as a GIF", palette),
    Edit("grain", "quality", "hard", "with the coarse grain of a film", grain),
    Edit("dither", "tone", "hard", "black and white dots", dithered),
    Edit("duotone", "tone", "hard", "from one dark colour to one light one", duotone),
    Edit("haze", "tone", "hard", "under fog, smoke or a leak of light", haze),
    Edit("hdr", "tone", "medium", "brightness equalised in each part", hdr),
    Edit("split-channels", "tone", "medium", "red and blue drawn apart", split_channels),
    Edit("hue", "tone", "hard", "in other hues", other_hues),
    Edit("light-leak", "tone", "medium", "warm light fallen in from one side", light_leak),
    Edit("spotlight", "tone", "hard", "dark but for a round place", spotlight),
)
