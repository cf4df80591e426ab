"""What Pillow makes of images: the outside witness of AutoAugment and of EXIF.

    python pillow.py      # writes autoaugment/ and exif/ beside this file

autoaugment/policy.json is the policy for CIFAR-10 with its probabilities and
levels; rgb.png and gray.png are strips of images below one another: one that
a formula gives, then for each pair of the policy the first operation with the
level's two signs (minus, plus), and the second. The operations are called on
Pillow as torchvision's AutoAugment calls them, with its default settings (the
nearest pixel, black outside).

exif/O.jpg is one picture stored with EXIF orientation O, 1 to 8, and
upright.png is how it looks.
"""

import json
import pathlib

from PIL import Image, ImageEnhance, ImageOps

HERE = pathlib.Path(__file__).parent

POLICY = [
    [["invert", 0.1, None], ["contrast", 0.2, 6]],
    [["rotate", 0.7, 2], ["translate_x", 0.3, 9]],
    [["sharpness", 0.8, 1], ["sharpness", 0.9, 3]],
    [["shear_y", 0.5, 8], ["translate_y", 0.7, 9]],
    [["autocontrast", 0.5, None], ["equalize", 0.9, None]],
    [["shear_y", 0.2, 7], ["posterize", 0.3, 7]],
    [["color", 0.4, 3], ["brightness", 0.6, 7]],
    [["sharpness", 0.3, 9], ["brightness", 0.7, 9]],
    [["equalize", 0.6, None], ["equalize", 0.5, None]],
    [["contrast", 0.6, 7], ["sharpness", 0.6, 5]],
    [["color", 0.7, 7], ["translate_x", 0.5, 8]],
    [["equalize", 0.3, None], ["autocontrast", 0.4, None]],
    [["translate_y", 0.4, 3], ["sharpness", 0.2, 6]],
    [["brightness", 0.9, 6], ["color", 0.2, 8]],
    [["solarize", 0.5, 2], ["invert", 0.0, None]],
    [["equalize", 0.2, None], ["autocontrast", 0.6, None]],
    [["equalize", 0.2, None], ["equalize", 0.6, None]],
    [["color", 0.9, 9], ["equalize", 0.6, None]],
    [["autocontrast", 0.8, None], ["solarize", 0.2, 8]],
    [["brightness", 0.1, 3], ["color", 0.7, 0]],
    [["solarize", 0.4, 5], ["autocontrast", 0.9, None]],
    [["translate_y", 0.9, 9], ["translate_y", 0.7, 9]],
    [["autocontrast", 0.9, None], ["solarize", 0.8, 3]],
    [["equalize", 0.8, None], ["invert", 0.1, None]],
    [["translate_y", 0.7, 9], ["autocontrast", 0.9, None]],
]

# Magnitudes of level k and sign s.
SPACE = {
    "shear_y": lambda k, s, size: s * 0.3 * k / 9,
    "translate_x": lambda k, s, size: int(s * 150 / 331 * size[0] * k / 9),
    "translate_y": lambda k, s, size: int(s * 150 / 331 * size[1] * k / 9),
    "rotate": lambda k, s, size: s * 30 * k / 9,
    "brightness": lambda k, s, size: 1 + s * 0.1 * k,
    "color": lambda k, s, size: 1 + s * 0.1 * k,
    "contrast": lambda k, s, size: 1 + s * 0.1 * k,
    "sharpness": lambda k, s, size: 1 + s * 0.1 * k,
    "posterize": lambda k, s, size: 8 - round(k / (9 / 4)),
    "solarize": lambda k, s, size: 255 * (9 - k) / 9,
}


def affine(img, *matrix):
    return img.transform(img.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


CALL = {
    "shear_y": lambda img, m: affine(img, 1, 0, 0, m, 1, 0),
    "translate_x": lambda img, m: affine(img, 1, 0, -m, 0, 1, 0),
    "translate_y": lambda img, m: affine(img, 1, 0, 0, 0, 1, -m),
    "rotate": lambda img, m: img.rotate(m, Image.Resampling.NEAREST),
    "brightness": lambda img, m: ImageEnhance.Brightness(img).enhance(m),
    "color": lambda img, m: ImageEnhance.Color(img).enhance(m),
    "contrast": lambda img, m: ImageEnhance.Contrast(img).enhance(m),
    "sharpness": lambda img, m: ImageEnhance.Sharpness(img).enhance(m),
    "posterize": lambda img, m: ImageOps.posterize(img, m),
    "solarize": lambda img, m: ImageOps.solarize(img, m),
    "autocontrast": lambda img, m: ImageOps.autocontrast(img),
    "equalize": lambda img, m: ImageOps.equalize(img),
    "invert": lambda img, m: ImageOps.invert(img),
}


def formula(mode, w, h):
    """Numbers that neither reach 0 nor 255; in the first channel some are cut
    off above, in the second most, as in photographs that are too bright."""
    img = Image.new(mode, (w, h))
    for y in range(h):
        for x in range(w):
            v = [30 + min((90, 40, 180)[c], (7 * x * x + 13 * y * y + 3 * x * y * (c + 1)) % 181 % (120 + 20 * c)) for c in range(3)]
            img.putpixel((x, y), tuple(v) if mode == "RGB" else v[0])
    return img


def strip(img):
    tiles = [img]
    for pair in POLICY:
        for op, _, level in pair:
            for sign in -1, 1:
                m = SPACE[op](level, sign, img.size) if level is not None else None
                tiles.append(CALL[op](img, m))
    w, h = img.size
    out = Image.new(img.mode, (w, h * len(tiles)))
    for i, tile in enumerate(tiles):
        out.paste(tile, (0, i * h))
    return out


STORED = {  # how the upright picture is turned to be stored with an orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif(folder):
    upright = Image.new("RGB", (24, 16))
    for i, color in enumerate([(200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 40), (20, 20, 20), (40, 220, 220)]):
        upright.paste(color, (i % 3 * 8, i // 3 * 8, i % 3 * 8 + 8, i // 3 * 8 + 8))
    upright.save(folder / "upright.png", optimize=True)
    for orientation, turn in STORED.items():
        stored = upright if turn is None else upright.transpose(turn)
        tags = Image.Exif()
        tags.endian = "<" if orientation % 2 else ">"
        tags[0x010F] = "maker"
        tags[0x0112] = orientation
        tags[0x0131] = "software"
        name = folder / f"{orientation}.jpg"
        stored.save(name, quality=95, subsampling=0, exif=tags)
        seen = ImageOps.exif_transpose(Image.open(name))
        assert seen.size == upright.size, orientation
        worst = max(abs(a - b) for p, q in zip(seen.getdata(), upright.getdata()) for a, b in zip(p, q))
        assert worst <= 4, (orientation, worst)


if __name__ == "__main__":
    out = HERE / "autoaugment"
    out.mkdir(exist_ok=True)
    lines = ",\n".join("  " + json.dumps(pair) for pair in POLICY)
    (out / "policy.json").write_text(f"[\n{lines}\n]\n")
    strip(formula("RGB", 23, 19)).save(out / "rgb.png", optimize=True)
    strip(formula("L", 34, 31)).save(out / "gray.png", optimize=True)
    (HERE / "exif").mkdir(exist_ok=True)
    exif(HERE / "exif")
