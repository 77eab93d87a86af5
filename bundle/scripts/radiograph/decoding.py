"""From the pixel element of a DICOM file to its stored values."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import UID, JPEGExtended12Bit, RLELossless

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import refused
from scripts.radiograph.codestream import read_claimed_shape
from scripts.radiograph.elements import code, number

_REMEDY: Final = "Export it again uncompressed (Explicit VR Little Endian) or as JPEG 2000 lossless."


def admit_encoding(dataset: FileDataset) -> None:
    """Refuse, by the header alone, pixels of a kind that is not supported.

    Raises:
        RefusedError: UNSUPPORTED_ENCODING, if they are not integers of 2 to 16 bits in 8 or 16.
    """
    allocated, stored = (int(number(dataset.get(name)) or 0) for name in ("BitsAllocated", "BitsStored"))
    if allocated not in (8, 16) or not 2 <= stored <= allocated:
        raise refused(
            Code.UNSUPPORTED_ENCODING,
            f"The pixels have {stored} bits stored in {allocated}, but 2 to 16 bits stored in 8 or 16 are expected of a "
            f"radiograph; it was not analysed. {_REMEDY}",
        )
    if UID(dataset.file_meta.TransferSyntaxUID) == JPEGExtended12Bit and stored > 8:
        raise _undecodable(dataset)


def decode(dataset: FileDataset) -> NDArray[Any]:
    """Return the stored values of one frame, as they lie in their words of 8 or 16 bits.

    Args:
        dataset: with its pixels, after `admit_encoding`.

    Returns:
        (rows, cols), or (rows, cols, 3) in red, green and blue; possibly read-only and of foreign byte order.

    Raises:
        RefusedError: UNREADABLE, if the pixels are missing, too few, damaged, or of another size than the header says;
            UNSUPPORTED_ENCODING, if they are in floating point, or no decoder is there for them.
    """
    if "PixelData" not in dataset:
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise refused(
                Code.UNSUPPORTED_ENCODING,
                f"The pixels are floating-point numbers, but integers are expected; it was not analysed. {_REMEDY}",
            )
        raise refused(Code.UNREADABLE, "The file has a header but no pixels; it was not analysed. Export it again.")
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    _check_size(dataset, syntax)
    try:
        # Bits beyond BitsStored stay: the look-up of each word's display value leaves them out at no cost.
        return pixel_array(dataset, index=0, view_only=True, correct_unused_bits=False)
    except NotImplementedError as error:
        raise _undecodable(dataset) from error
    except Exception as error:  # whatever a codec raises on damaged data
        if syntax.is_compressed and "missing dependencies" in str(error):
            raise _undecodable(dataset) from error
        raise _damaged(f"its pixels, stored as {_syntax_name(syntax)}, cannot be decoded") from error


def find_surplus(dataset: FileDataset) -> list[str]:
    """Say where uncompressed pixels are more than the header claims; one byte more makes their number even."""
    found, needed = len(dataset.PixelData), _needed_bytes(dataset)
    if UID(dataset.file_meta.TransferSyntaxUID).is_compressed or found <= needed + 1:
        return []
    size = f"{int(dataset.Rows)} x {int(dataset.Columns)}"
    return [f"The file holds {found} bytes of pixels, {needed} are expected of {size} pixels: the rest was left out."]


def keeps_words(dataset: FileDataset) -> bool:
    """Whether words come as the device stored them, so that bits outside BitsStored may hold overlays or garbage.

    True of uncompressed and run-length encoded pixels; the other codecs know values, not words.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    return not syntax.is_compressed or syntax == RLELossless


def _check_size(dataset: FileDataset, syntax: UID) -> None:
    """Refuse pixels that are fewer, or of another size, than the header claims: before memory is taken for them."""
    rows, cols, channels = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)
    data = dataset.PixelData
    if not syntax.is_compressed:
        needed = _needed_bytes(dataset)
        if len(data) < needed:
            raise _damaged(f"it holds {len(data)} bytes of pixels, {needed} are expected of {rows} x {cols} pixels")
        return
    if syntax == RLELossless:
        return
    try:
        claimed = read_claimed_shape(get_frame(data, 0, number_of_frames=1))
    except Exception as error:  # a damaged encapsulation fails in many ways
        raise _damaged("its compressed pixels are not where they should be") from error
    if claimed is not None and claimed != (rows, cols, channels):
        inner = " x ".join(map(str, claimed))
        raise _damaged(f"its compressed image has {inner} values, the header says {rows} x {cols} x {channels}")


def _needed_bytes(dataset: FileDataset) -> int:
    rows, cols, channels = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)
    needed = rows * cols * channels * (int(dataset.BitsAllocated) // 8)
    return needed * 2 // 3 if code(dataset, "PhotometricInterpretation") == "YBR_FULL_422" else needed


def _damaged(how: str) -> RefusedError:
    return refused(
        Code.UNREADABLE,
        f"The file cannot be read as a radiograph: {how}; it was not analysed. Export or copy it again.",
    )


def _undecodable(dataset: FileDataset) -> RefusedError:
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    return refused(
        Code.UNSUPPORTED_ENCODING,
        f"The pixels are compressed as {_syntax_name(syntax)} with {int(dataset.BitsStored)} bits, which cannot be decoded "
        f"here; it was not analysed. {_REMEDY}",
    )


def _syntax_name(syntax: UID) -> str:
    # An unknown UID is any text that somebody wrote.
    return f"{syntax.name} (transfer syntax {syntax})" if syntax.name != syntax else "an unknown transfer syntax"
