"""A run of made-up radiographs whose pages are looked at, and how they are looked at."""

from fake_screening import ABSENT, IMPLANTED, RIGHT, LoadFake, channels_of

SOUND = {**RIGHT, "neck_bmd": 0.90, "total_bmd": 1.00}
GREY = {**RIGHT, "neck_bmd": 0.858 - 2.7 * 0.12}
ABOVE = {**RIGHT, "neck_bmd": 0.858 - 2.45 * 0.12}
FILMS = {
    "likely.dcm": channels_of(RIGHT, IMPLANTED, 0.91),
    "grey.dcm": channels_of(GREY, SOUND, 0.3),
    "contradicted.dcm": channels_of(RIGHT, SOUND, 0.08),
    "alarmed.dcm": channels_of(ABOVE, SOUND, 0.97),
    "unlikely.dcm": channels_of({**SOUND, "femur_probability": 0.01}, ABSENT, 0.01),
    "young.dcm": channels_of(SOUND, SOUND, 0.01),
    "right.dcm": channels_of(RIGHT, ABSENT),
    "left.dcm": channels_of(ABSENT, {**SOUND, "landmark_confidence": 0.8}),
    "none.dcm": channels_of(ABSENT, ABSENT),
    "fractured.dcm": channels_of({**RIGHT, "fracture_probability": 0.99}, IMPLANTED),
}
"""What the networks say of each, in the order in which they are read."""
UNREAD = ("chest.dcm", "broken.png")
SCREENS = {
    "phone": (390, 844, "screen"),
    "tablet": (1024, 768, "screen"),
    "desk": (1920, 1080, "screen"),
    "A4": (703, 1000, "print"),
}
"""Width and height in CSS pixels, and medium; A4 less its margins."""
CUT_OFF = """
[...document.querySelectorAll('body *')].filter(e => !e.closest('caption') && !e.closest('.scale')).filter(e => {
  const box = e.getBoundingClientRect();
  const clips = getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1;
  return clips || box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5;
}).map(e => e.outerHTML.slice(0, 80))
"""


class LoadAged(LoadFake):
    def __call__(self, item):
        found = super().__call__(item)
        if "young" in str(item["image"]):
            found["covariates"][0] = 35.0
        return found
