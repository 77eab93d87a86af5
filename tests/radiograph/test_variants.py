"""What hospitals send, one row a variant: each builds a file and states the pixels, spacing and orientation to be read.

The expected pixels are simple arithmetic on the radiograph's own ramp, written out here.
"""

from io import BytesIO

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from radiograph_files import COLS, ROWS, dataset, lut, ramp
from scripts.development.jpeg_lossless import encode_jpeg_lossless
from scripts.radiograph import Orientation, read_radiograph

R = ramp().astype(np.int64)  # 0 to 4095
P = R / 4095
B = (R // 16).astype(np.uint8)
GREY = np.stack([B] * 3, axis=-1)
SMOOTH = np.tile(np.linspace(0, 255, COLS).astype(np.uint8), (ROWS, 1))
AT_HIP = (0.15 / 1.15, 0.15 / 1.15)
SC = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"}
RAW = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1", "Modality": "DX"}
AS_STORED = (False, False, False)
LOG_LIN = 1 - np.log1p(R) / np.log1p(4095)


def window(values, centre, width):
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def dicom(pixels=None, high_bit=None, **attributes):
    def build(folder):
        ds = dataset(pixels, **attributes)
        if high_bit is not None:
            ds.HighBit = high_bit
        ds.save_as(folder / "film.dcm", enforce_file_format=True)
        return folder / "film.dcm"

    return build


def headless(implicit):
    def build(folder):
        ds = dataset()
        del ds.file_meta
        path = folder / "film"
        ds.save_as(path, implicit_vr=implicit, little_endian=True)
        return path

    return build


def big_endian(**attributes):
    """With preamble and file meta, everything big-endian."""

    def build(folder):
        ds = dataset(**attributes)
        ds.PixelData = ramp().astype(">u2").tobytes()
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
        ds.save_as(folder / "film.dcm", enforce_file_format=True)
        return folder / "film.dcm"

    return build


def implicit(folder):
    ds = dataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    ds.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def deflated(folder):
    ds = dataset()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def compressed(uid, pixels=None, options=None, said_bits=None, **attributes):
    def build(folder):
        ds = dataset(pixels, **attributes)
        plugin = {RLELossless: "pydicom"}.get(uid, "pyjpegls" if "4.8" in uid else "pylibjpeg")
        ds.compress(uid, encoding_plugin=plugin, **(options or {}))
        if said_bits:
            ds.BitsStored, ds.HighBit = said_bits, said_bits - 1
        ds.save_as(folder / "film.dcm", enforce_file_format=True)
        return folder / "film.dcm"

    return build


def jpeg_baseline(folder):
    stream = BytesIO()
    Image.fromarray(SMOOTH).save(stream, "JPEG", quality=100)
    ds = dataset(SMOOTH)
    ds.PixelData = encapsulate([stream.getvalue()])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def jpeg_lossless(uid):
    def build(folder):
        ds = dataset()
        ds.add_new("PixelData", "OB", encapsulate([encode_jpeg_lossless(ramp(), 12)]))
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = uid
        ds.save_as(folder / "film.dcm", enforce_file_format=True)
        return folder / "film.dcm"

    return build


def planar(folder):
    ds = dataset(GREY, PlanarConfiguration=1, **SC)
    ds.PixelData = np.moveaxis(GREY, -1, 0).tobytes()
    ds.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def ybr_422(folder):
    ds = dataset(GREY, PhotometricInterpretation="YBR_FULL_422", **SC)
    pairs = B.reshape(ROWS, COLS // 2, 2)
    neutral = np.full((ROWS, COLS // 2, 2), 128, np.uint8)
    ds.PixelData = np.concatenate([pairs, neutral], axis=-1).tobytes()
    ds.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def palette(entries, bits, first=0):
    """A radiograph of indices 0 to 255 into three equal palettes."""

    def build(folder):
        ds = dataset(B, PhotometricInterpretation="PALETTE COLOR", **SC)
        for number in range(3):
            ds.add_new(0x00281101 + number, "US", [len(entries) % 65536, first, bits])
            data = entries.astype("u1" if bits == 8 else "<u2").tobytes()
            ds.add_new(0x00281201 + number, "OW", data)
        ds.save_as(folder / "film.dcm", enforce_file_format=True)
        return folder / "film.dcm"

    return build


def overlaid(folder):
    """An overlay of its own, which covers the whole radiograph, and burns nothing in."""
    ds = dataset()
    ds.add_new(0x60000010, "US", ROWS)
    ds.add_new(0x60000011, "US", COLS)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 0)
    ds.add_new(0x60003000, "OW", b"\xff" * (ROWS * COLS // 8))
    ds.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def picture(pixels, name, **options):
    def build(folder):
        Image.fromarray(pixels).save(folder / name, **options)
        return folder / name

    return build


def tiff(pixels, **options):
    def build(folder):
        tifffile.imwrite(folder / "film.tif", pixels, **options)
        return folder / "film.tif"

    return build


def nifti(pixels, shape=None, ending=".nii", zooms=(0.25, 0.3), cal=None):
    def build(folder):
        volume = nib.Nifti1Image(pixels.T.reshape(shape or (COLS, ROWS)), np.eye(4))
        volume.header.set_zooms([*zooms, *[1.0] * (volume.ndim - 2)])
        volume.header.set_xyzt_units("mm")
        if cal:
            volume.header["cal_min"], volume.header["cal_max"] = cal
        nib.save(volume, folder / f"film{ending}")
        return folder / f"film{ending}"

    return build


def spacing_first(**attributes):
    return dicom(ImagerPixelSpacing=None, **attributes)


WORDS = R.astype(np.uint16)
SIGNED = (R - 2048).astype(np.int16)
SQRT = np.round(65535 * np.sqrt(np.arange(4096) / 4095)).astype(np.int64)
FULL = np.round(65535 * (np.arange(65536) / 65535) ** 2).astype(np.int64)
WIDE = np.round(R * 65535 / 4095).astype(np.uint16)
SHORT = np.arange(200)
OVERLAY_BITS = WORDS | np.where(R % 3 == 0, 0x8000, 0).astype(np.uint16)
UNSIGNED_GARBAGE = (WORDS | 0xF000).astype(np.uint16)
SIGNED_GARBAGE = ((SIGNED.view(np.uint16) & 0x0FFF) | 0x5000).view(np.int16)

V = {
    # transfer syntaxes
    "explicit little endian": (dicom(), P),
    "implicit little endian": (implicit, P),
    "explicit big endian": (big_endian(), P),
    "deflated": (deflated, P),
    "no preamble, implicit": (headless(implicit=True), P),
    "no preamble, explicit": (headless(implicit=False), P),
    "RLE": (compressed(RLELossless), P),
    "RLE of garbage bits": (compressed(RLELossless, OVERLAY_BITS), P),
    "JPEG lossless": (jpeg_lossless(JPEGLossless), P),
    "JPEG lossless, first-order prediction": (jpeg_lossless(JPEGLosslessSV1), P),
    "JPEG-LS lossless": (compressed(JPEGLSLossless), P),
    "JPEG-LS lossless of 8 bits": (compressed(JPEGLSLossless, B), B / 255),
    "JPEG-LS near-lossless": (compressed(JPEGLSNearLossless, options={"jls_error": 2}), P, {"atol": 2.01 / 4095}),
    "JPEG 2000 lossless": (compressed(JPEG2000Lossless), P),
    "JPEG 2000 of more bits than the header says": (
        compressed(JPEG2000Lossless, WIDE, said_bits=12, BitsStored=16),
        WIDE / 65535,
        {"said": "BitsStored in the header says 12"},
    ),
    "JPEG-LS of more bits than the header says": (
        compressed(JPEGLSLossless, WIDE, said_bits=12, BitsStored=16),
        WIDE / 65535,
        {"said": "BitsStored in the header says 12"},
    ),
    "JPEG 2000 lossless, signed": (compressed(JPEG2000Lossless, SIGNED), P),
    "JPEG 2000 lossy": (compressed(JPEG2000, options={"j2k_psnr": [90]}), P, {"atol": 4 / 4095}),
    "JPEG baseline": (jpeg_baseline, SMOOTH / 255, {"atol": 2 / 255}),
    # words
    "8 bits": (dicom(B), B / 255),
    "16 bits": (dicom(WIDE, BitsStored=16), WIDE / 65535),
    "10 of 16 bits": (dicom((R // 4).astype(np.uint16), BitsStored=10), (R // 4) / 1023),
    "6 of 8 bits": (dicom((R // 64).astype(np.uint8), BitsStored=6), (R // 64) / 63),
    "signed 12 of 16": (dicom(SIGNED), P),
    "signed 16": (dicom((WIDE.astype(np.int32) - 32768).astype(np.int16), BitsStored=16), WIDE / 65535),
    "signed 8": (dicom((B.astype(np.int16) - 128).astype(np.int8)), B / 255),
    "high bit 15 of 12": (dicom((WORDS << 4).astype(np.uint16), high_bit=15), P),
    "high bit 15 of 12, garbage below": (dicom(((WORDS << 4) | 9).astype(np.uint16), high_bit=15), P),
    "high bit 13 of 12, garbage round it": (dicom(((WORDS << 2) | 0xC003).astype(np.uint16), high_bit=13), P),
    "high bit 15 of 12, signed": (dicom((SIGNED.astype(np.int32) * 16).astype(np.int16), high_bit=15), P),
    "overlay in the highest bit": (dicom(OVERLAY_BITS), P),
    "garbage above the stored bits": (dicom(UNSIGNED_GARBAGE), P),
    "signed without sign extension": (dicom(SIGNED_GARBAGE), P),
    "overlay of its own": (overlaid, P),
    "more pixel bytes than pixels": (dicom(PixelData=WORDS.tobytes() + b"\0" * 100), P),
    # photometric interpretation
    "MONOCHROME1": (dicom(PhotometricInterpretation="MONOCHROME1"), 1 - P),
    "MONOCHROME1 and INVERSE": (dicom(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"), 1 - P),
    "MONOCHROME2 and IDENTITY": (dicom(PresentationLUTShape="IDENTITY"), P),
    "MONOCHROME2 and INVERSE": (dicom(PresentationLUTShape="INVERSE"), 1 - P, {"said": "contradicts"}),
    "MONOCHROME1 and IDENTITY": (
        dicom(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY"),
        1 - P,
        {"said": "contradicts"},
    ),
    "grey RGB": (dicom(GREY, **SC), B / 255, {"said": "colour"}),
    "grey RGB by plane": (planar, B / 255),
    "grey RGB of 16 bits": (dicom(np.stack([WIDE] * 3, axis=-1), BitsStored=16, **SC), WIDE / 65535),
    "grey YBR_FULL": (
        dicom(np.stack([B, np.full_like(B, 128), np.full_like(B, 128)], axis=-1), PhotometricInterpretation="YBR_FULL", **SC),
        B / 255,
    ),
    "grey YBR_FULL_422": (ybr_422, B / 255),
    "grey palette of 16 bits": (palette(np.arange(256) * 257, 16), B / 255, {"said": "palette"}),
    "grey palette of 8 bits, inverse": (palette(255 - np.arange(256), 8), 1 - B / 255),
    "grey palette that starts later": (palette(np.arange(156) * 257, 16, first=100), np.clip(B.astype(int) - 100, 0, 155) / 255),
    # modality
    "slope and intercept": (
        dicom(RescaleSlope=2, RescaleIntercept=-100, WindowCenter=3900, WindowWidth=2001),
        window(2 * R - 100, 3900, 2001),
    ),
    "negative slope": (dicom(RescaleSlope=-1, RescaleIntercept=4095), 1 - P),
    "slope of zero is none": (dicom(RescaleSlope=0, RescaleIntercept=7), P),
    "modality LUT": (dicom(ModalityLUTSequence=lut(0, 16, SQRT)), SQRT[R] / 65535),
    "modality LUT, signed input": (dicom(SIGNED, ModalityLUTSequence=lut(65536 - 2048, 16, SQRT)), SQRT[R] / 65535),
    "modality LUT, then window": (
        dicom(ModalityLUTSequence=lut(0, 16, SQRT), WindowCenter=30000, WindowWidth=20001),
        window(SQRT[R], 30000, 20001),
    ),
    # VOI
    "window": (dicom(WindowCenter=2000, WindowWidth=1000), window(R, 2000, 1000)),
    "several windows": (
        dicom(WindowCenter=[2000, 9], WindowWidth=[1000, 9]),
        window(R, 2000, 1000),
        {"said": "first was used"},
    ),
    "window of width one": (dicom(WindowCenter=2000, WindowWidth=1), (R > 1999.5) * 1.0),
    "window of width zero": (dicom(WindowCenter=2000, WindowWidth=0), P, {"said": "invalid"}),
    "LINEAR_EXACT": (
        dicom(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT"),
        np.clip((R - 2000) / 1000 + 0.5, 0, 1),
    ),
    "SIGMOID": (
        dicom(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="SIGMOID"),
        1 / (1 + np.exp(-4 * (R - 2000) / 1000)),
    ),
    "unknown VOI function": (
        dicom(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="CUBIC"),
        window(R, 2000, 1000),
        {"said": "unknown"},
    ),
    "window, MONOCHROME1": (
        dicom(WindowCenter=2000, WindowWidth=1000, PhotometricInterpretation="MONOCHROME1"),
        1 - window(R, 2000, 1000),
    ),
    "VOI LUT of 16 bits": (dicom(VOILUTSequence=lut(0, 16, SQRT)), SQRT[R] / 65535),
    "VOI LUT of 8 bits": (dicom(VOILUTSequence=lut(0, 8, np.arange(4096) // 16)), B / 255),
    "VOI LUT of 8 bits, packed": (
        dicom(VOILUTSequence=lut(1000, 8, SHORT, "packed")),
        SHORT[np.clip(R - 1000, 0, 199)] / 255,
    ),
    "VOI LUT in words": (dicom(VOILUTSequence=lut(0, 16, SQRT, "OW")), SQRT[R] / 65535),
    "VOI LUT of 65536 entries": (
        dicom(WIDE, BitsStored=16, VOILUTSequence=lut(0, 16, FULL, "OW")),
        FULL[WIDE] / 65535,
    ),
    "VOI LUT that fills more bits than it says": (dicom(VOILUTSequence=lut(0, 12, SQRT)), SQRT[R] / 65535),
    "VOI LUT, signed input": (dicom(SIGNED, VOILUTSequence=lut(65536 - 2048, 16, SQRT)), SQRT[R] / 65535),
    "VOI LUT before window": (dicom(VOILUTSequence=lut(0, 16, SQRT), WindowCenter=9, WindowWidth=9), SQRT[R] / 65535),
    "VOI LUT, big endian": (big_endian(VOILUTSequence=lut(0, 16, SQRT)), SQRT[R] / 65535),
    "VOI LUT in words, big endian": (big_endian(VOILUTSequence=lut(0, 16, SQRT.astype("<u2").byteswap(), "OW")), SQRT[R] / 65535),
    "first of two VOI LUTs": (
        dicom(VOILUTSequence=Sequence([*lut(0, 16, SQRT), *lut(0, 16, SQRT[::-1])])),
        SQRT[R] / 65535,
        {"said": "first was used"},
    ),
    # padding
    "padding": (
        dicom(PixelPaddingValue=4095, PhotometricInterpretation="MONOCHROME2"),
        np.where(R == 4095, 0, P),
        {"said": "padding"},
    ),
    "padding range, MONOCHROME1": (
        dicom(PixelPaddingValue=40, PixelPaddingRangeLimit=0, PhotometricInterpretation="MONOCHROME1"),
        np.where(R <= 40, 0, 1 - P),
    ),
    "padding of signed values": (
        dicom(SIGNED, PixelPaddingValue=-2048, PixelPaddingRangeLimit=-2000),
        np.where(R <= 48, 0, P),
    ),
    # FOR PROCESSING
    "raw, linear, more is exposure": (
        dicom(**RAW, PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1),
        LOG_LIN,
        {"said": "logarithm"},
    ),
    "raw, linear, less is exposure": (
        dicom(**RAW, PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=-1),
        1 - np.log1p(4095 - R) / np.log1p(4095),
    ),
    "raw, logarithmic, more is exposure": (
        dicom(**RAW, PixelIntensityRelationship="LOG", PixelIntensityRelationshipSign=1),
        1 - P,
    ),
    "raw, logarithmic, more is denser": (dicom(**RAW, PixelIntensityRelationship="LOG", PixelIntensityRelationshipSign=-1), P),
    "raw without a sign, MONOCHROME1": (
        dicom(**RAW, PixelIntensityRelationship="LIN", PhotometricInterpretation="MONOCHROME1"),
        LOG_LIN,
        {"said": "PixelIntensityRelationshipSign"},
    ),
    "raw, its window is not for display": (
        dicom(**RAW, PixelIntensityRelationship="LOG", PixelIntensityRelationshipSign=-1, WindowCenter=9, WindowWidth=9),
        P,
    ),
    "for presentation, its sign changes nothing": (
        dicom(PresentationIntentType="FOR PRESENTATION", PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1),
        P,
    ),
    # orientation
    "right to left": (dicom(PatientOrientation=["R", "F"]), P[:, ::-1], {"turned": (False, False, True)}),
    "upside down": (dicom(PatientOrientation=["L", "H"]), P[::-1], {"turned": (False, True, False)}),
    "turned by 180": (dicom(PatientOrientation=["R", "H"]), P[::-1, ::-1], {"turned": (False, True, True)}),
    "rows are columns": (dicom(PatientOrientation=["F", "L"]), P.T, {"turned": (True, False, False)}),
    "turned by 90": (
        dicom(PatientOrientation=["H", "L"], ImagerPixelSpacing=[0.1, 0.2]),
        P.T[::-1],
        {"turned": (True, True, False), "mm": (0.2 / 1.15, 0.1 / 1.15)},
    ),
    "turned by 270": (dicom(PatientOrientation=["F", "R"]), P.T[:, ::-1], {"turned": (True, False, True)}),
    "turned and mirrored": (dicom(PatientOrientation=["H", "R"]), P.T[::-1, ::-1], {"turned": (True, True, True)}),
    "the device's own turning is already in": (dicom(FieldOfViewRotation=180, FieldOfViewHorizontalFlip="YES"), P),
    # spacing
    "anisotropic": (dicom(ImagerPixelSpacing=[0.1, 0.2]), P, {"mm": (0.1 / 1.15, 0.2 / 1.15)}),
    "recorded magnification": (dicom(EstimatedRadiographicMagnificationFactor=1.2), P, {"mm": (0.125, 0.125)}),
    "distances": (dicom(DistanceSourceToDetector=1100, DistanceSourceToPatient=1000), P, {"mm": (0.15 / 1.1,) * 2}),
    "distances swapped": (dicom(DistanceSourceToDetector=1000, DistanceSourceToPatient=1100), P),
    "calibrated": (
        dicom(PixelSpacing=[0.13, 0.13], PixelSpacingCalibrationType="FIDUCIAL"),
        P,
        {"mm": (0.13, 0.13), "source": "calibration"},
    ),
    "corrected": (dicom(PixelSpacing=[0.13, 0.13]), P, {"mm": (0.13, 0.13), "source": "PixelSpacing"}),
    "repeated but for rounding": (dicom(PixelSpacing=[0.151, 0.151]), P),
    "in the wrong order": (
        dicom(ImagerPixelSpacing=[0.12, 0.24], PixelSpacing=[0.2, 0.1]),
        P,
        {"mm": (0.1, 0.2), "source": "PixelSpacing", "said": "swapped"},
    ),
    "smaller than life": (dicom(PixelSpacing=[0.3, 0.3]), P, {"said": "impossible beside"}),
    "PixelSpacing alone": (spacing_first(PixelSpacing=[0.2, 0.1]), P, {"mm": (0.2, 0.1), "source": "PixelSpacing"}),
    "digitised film": (
        spacing_first(NominalScannedPixelSpacing=[0.15, 0.15]),
        P,
        {"source": "NominalScannedPixelSpacing/magnification"},
    ),
    "zero spacing": (dicom(ImagerPixelSpacing=[0, 0]), P, {"mm": None, "source": "none", "said": "zero"}),
    "no spacing but a shape": (
        spacing_first(PixelAspectRatio=[2, 1], PatientOrientation=["F", "L"]),
        P.T,
        {"mm": None, "source": "none", "turned": (True, False, False), "aspect": 0.5},
    ),
    "no spacing": (spacing_first(), P, {"mm": None, "source": "none"}),
    # pictures
    "PNG of 8 bits": (picture(B, "film.png"), B / 255, {"mm": None, "source": "none"}),
    "PNG of 16 bits": (picture(WIDE, "film.png"), WIDE / 65535, {"mm": None, "source": "none"}),
    "JPEG": (picture(SMOOTH, "film.jpg", quality=100), SMOOTH / 255, {"mm": None, "source": "none", "atol": 2 / 255}),
    "TIFF of 8 bits": (tiff(B, photometric="minisblack"), B / 255, {"mm": None, "source": "none"}),
    "TIFF of 16 bits": (tiff(WIDE, photometric="minisblack"), WIDE / 65535, {"mm": None, "source": "none"}),
    "TIFF of 16 bits, big endian": (
        tiff(WIDE, photometric="minisblack", byteorder=">"),
        WIDE / 65535,
        {"mm": None, "source": "none"},
    ),
    "TIFF of 8 bits, white is zero": (tiff(B, photometric="miniswhite"), 1 - B / 255, {"mm": None, "source": "none"}),
    "TIFF of 16 bits, white is zero": (tiff(WIDE, photometric="miniswhite"), 1 - WIDE / 65535, {"mm": None, "source": "none"}),
    "TIFF in strips, deflated": (
        tiff(WIDE, photometric="minisblack", compression="zlib", rowsperstrip=16),
        WIDE / 65535,
        {"mm": None, "source": "none"},
    ),
    "TIFF of grey colours": (tiff(GREY, photometric="rgb"), B / 255, {"mm": None, "source": "none"}),
    # NIfTI
    "NIfTI": (nifti(R.astype(np.int16)), P, {"mm": (0.3, 0.25), "source": "PixelSpacing"}),
    "NIfTI in gzip": (nifti(R.astype(np.int16), ending=".nii.gz"), P, {"mm": (0.3, 0.25), "source": "PixelSpacing"}),
    "NIfTI of one slice": (
        nifti(R.astype(np.int16), (COLS, ROWS, 1)),
        P,
        {"mm": (0.3, 0.25), "source": "PixelSpacing"},
    ),
    "NIfTI of 8 bits": (nifti(B), B / 255, {"mm": (0.3, 0.25), "source": "PixelSpacing"}),
    "NIfTI with a display range": (
        nifti(P.astype(np.float32), cal=(0.25, 0.75)),
        np.clip((P - 0.25) / 0.5, 0, 1),
        {"mm": (0.3, 0.25), "source": "PixelSpacing"},
    ),
}


@pytest.mark.parametrize("name", V)
def test_variant(tmp_path, name, capfd, recwarn):
    build, pixels, *more = V[name]
    expected = more[0] if more else {}
    path = build(tmp_path)
    recwarn.clear()
    capfd.readouterr()
    image = read_radiograph(path)
    meta = image.meta
    np.testing.assert_allclose(image[0].numpy(), pixels, atol=expected.get("atol", 1e-6))
    mm = expected.get("mm", AT_HIP)
    assert (meta["spacing_mm"] is None) == (mm is None)
    if mm:
        np.testing.assert_allclose(meta["spacing_mm"], mm, rtol=1e-6)
    assert meta["spacing_source"] == expected.get("source", "ImagerPixelSpacing/magnification")
    assert meta["pixel_aspect"] == pytest.approx(expected.get("aspect", mm[0] / mm[1] if mm else 1.0))
    assert meta["orientation"] == Orientation(*expected.get("turned", AS_STORED))
    assert meta["displayed_shape"] == pixels.shape
    assert any(expected.get("said", "") in note for note in [*meta["assumptions"], ""])
    assert not list(recwarn) and capfd.readouterr() == ("", ""), "the reading libraries may quote a patient's data"
