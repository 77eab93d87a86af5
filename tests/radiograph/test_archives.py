"""Radiographs in gzip and in zip archives are read like those beside them, and hostile archives end in a sentence."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from radiograph_files import ramp, write
from scripts.clinical import Code, RefusedError
from scripts.radiograph import archives, bounds, read_radiograph
from scripts.radiograph.archives import is_archive, list_members, source_of

BYTES = (ramp() // 16).astype(np.uint8)


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusal(path):
    with pytest.raises(RefusedError) as caught:
        read_radiograph(path)
    return caught.value.reason


def saved(folder, ending):
    """A radiograph in a format of one file."""
    path = folder / f"film{ending}"
    if ending == ".dcm":
        return write(folder)
    if ending == ".nii":
        nib.save(nib.Nifti1Image(ramp().astype(np.int16).T, np.diag([0.3, 0.25, 1, 1])), path)
    else:
        Image.fromarray(BYTES).save(path)
    return path


@pytest.mark.parametrize("ending", [".dcm", ".nii", ".png", ".tif"])
def test_a_packed_radiograph_is_the_same_as_the_plain_one(tmp_path, ending):
    path = saved(tmp_path, ending)
    content, expected = path.read_bytes(), read_radiograph(path)
    (tmp_path / f"film{ending}.gz").write_bytes(gzip.compress(content))
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("DEFLATED.ZIP", zipfile.ZIP_DEFLATED)):
        zipped(tmp_path / name, {f"a/b/film{ending}": content, f"film{ending}.gz": gzip.compress(content)}, method)
    places = [f"film{ending}.gz"]
    places += [
        f"{name}/{member}" for name in ("stored.zip", "DEFLATED.ZIP") for member in (f"a/b/film{ending}", f"film{ending}.gz")
    ]
    for place in places:
        found = read_radiograph(tmp_path / place)
        np.testing.assert_array_equal(found, expected)
        assert found.meta["filename_or_obj"] == str(tmp_path / place)
        assert {**found.meta, "filename_or_obj": ""}.keys() == {**expected.meta, "filename_or_obj": ""}.keys()
        assert found.meta["spacing_mm"] == expected.meta["spacing_mm"]


def test_the_content_tells_gzip_and_not_the_name(tmp_path):
    path = write(tmp_path)
    (tmp_path / "IM0001").write_bytes(gzip.compress(path.read_bytes()))
    path.rename(tmp_path / "plain.dcm.gz")
    np.testing.assert_array_equal(read_radiograph(tmp_path / "IM0001"), read_radiograph(tmp_path / "plain.dcm.gz"))


def test_members_are_listed_by_their_paths(tmp_path):
    path = zipped(tmp_path / "films.zip", {"a/b.dcm": b"x", "c.dcm": b"y", "d\\e.dcm": b"z", "./f.dcm": b"w", "Müller.dcm": b"v"})
    assert list_members(path) == ["a/b.dcm", "c.dcm", "d/e.dcm", "f.dcm", "Müller.dcm"]
    assert source_of(path / "a/b.dcm") == path and source_of(path) == path and source_of(tmp_path / "a.dcm") == tmp_path / "a.dcm"


def test_a_folder_with_an_archives_name_is_a_folder(tmp_path):
    path = write(tmp_path / "films.zip")
    assert not is_archive(tmp_path / "films.zip") and source_of(path) == path
    assert read_radiograph(path).shape == (1, *ramp().shape)


def tar_of(content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("film.dcm"), io.BytesIO(content))
    return stream.getvalue()


def zip_of(content, name="film.dcm"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


PACKED = {
    "film.tar": (tar_of, "is packed by tar"),
    "film.tar.gz": (lambda content: gzip.compress(tar_of(content)), "is packed by tar"),
    "film.tgz": (lambda content: gzip.compress(tar_of(content)), "is packed by tar"),
    "film.dcm.gz.gz": (lambda content: gzip.compress(gzip.compress(content)), "is packed by gzip in gzip"),
    "film.zip.gz": (lambda content: gzip.compress(zip_of(content)), "is a zip archive in gzip"),
    "film.dcm.bz2": (bz2.compress, "is packed by bzip2"),
    "film.dcm.xz": (lzma.compress, "is packed by xz"),
    "film.7z": (lambda content: b"7z\xbc\xaf\x27\x1c" + bytes(99), "is packed by 7z"),
    "film.rar": (lambda content: b"Rar!\x1a\x07\x01\0" + bytes(99), "is packed by RAR"),
    "film.dcm.zst": (lambda content: b"\x28\xb5\x2f\xfd" + bytes(99), "is packed by zstd"),
    "film": (zip_of, "whose name does not end in .zip"),
    "film.zip": (zip_of, "is an archive, of which only the members are read"),
    "cut.dcm.gz": (lambda content: gzip.compress(content)[:-200], "the packing is damaged or incomplete"),
    "damaged.dcm.gz": (lambda content: gzip.compress(content)[:-8] + b"12345678", "the packing is damaged or incomplete"),
    "no more.gz": (lambda content: b"\x1f\x8b", "the packing is damaged or incomplete"),
    "cut.zip": (lambda content: zip_of(content)[:-30], "the packing is damaged or incomplete"),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_packed_in_another_way_says_how(tmp_path, name):
    pack, said = PACKED[name]
    content = write(tmp_path, name="plain.dcm").read_bytes()
    (tmp_path / name).write_bytes(pack(content))
    reason = refusal(tmp_path / name)
    assert reason.code == Code.UNREADABLE and said in reason.sentence and "Unpack it" in reason.sentence


def test_a_radiograph_may_begin_as_it_likes(tmp_path):
    path = write(tmp_path)
    expected = read_radiograph(path)
    for start in (b"PK\3\4", b"\x1f\x8b", b"BZh", b"II*\0"):
        path.write_bytes(start + path.read_bytes()[len(start) :])
        np.testing.assert_array_equal(read_radiograph(path), expected)


def changed(content, signature, at, value):
    """An archive of one member, with a field of its local header or its directory entry set."""
    place = content.index(signature) + at
    return content[:place] + value + content[place + len(value) :]


LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"
MEMBERS = {
    "encrypted": (lambda content: changed(zip_of(content), CENTRAL, 8, b"\1\0"), "is encrypted"),
    "by bzip2": (lambda content: changed(zip_of(content), CENTRAL, 10, b"\x0c\0"), "another method than deflate"),
    "by deflate64": (lambda content: changed(zip_of(content), CENTRAL, 10, b"\x09\0"), "another method than deflate"),
    "a link": (lambda content: changed(zip_of(content), CENTRAL, 38, (0o120777 << 16).to_bytes(4, "little")), "is a link"),
    "of a wrong checksum": (lambda content: changed(zip_of(content), CENTRAL, 16, b"abcd"), "damaged or incomplete"),
    "of another name": (lambda content: changed(zip_of(content), LOCAL, 30, b"g"), "damaged or incomplete"),
    "an archive": (lambda content: zip_of(zip_of(content)), "is a zip archive in an archive"),
    "a tar": (lambda content: zip_of(tar_of(content)), "is packed by tar"),
}


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_member_that_cannot_be_read_says_why(tmp_path, kind):
    make, said = MEMBERS[kind]
    content = write(tmp_path, name="plain.dcm").read_bytes()
    (tmp_path / "films.zip").write_bytes(make(content))
    assert list_members(tmp_path / "films.zip") == ["film.dcm"]
    reason = refusal(tmp_path / "films.zip/film.dcm")
    assert reason.code == Code.UNREADABLE and said in reason.sentence


def test_a_member_that_is_not_there(tmp_path):
    zipped(tmp_path / "films.zip", {"a.dcm": b"x"})
    assert "holds no such file" in refusal(tmp_path / "films.zip/b.dcm").sentence


@pytest.mark.parametrize(
    "name", ["../film.dcm", "a/../../film.dcm", "/etc/film.dcm", "..\\film.dcm", "C:\\film.dcm", "\\film.dcm"]
)
def test_an_archive_that_leads_out_of_itself_is_refused(tmp_path, name):
    zipped(tmp_path / "films.zip", {"good.dcm": b"x", name: b"y"})
    reason = refusal(tmp_path / "films.zip")
    assert reason.code == Code.UNREADABLE and "leads out of it" in reason.sentence and "etc" not in reason.sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["films.zip"], "nothing is ever unpacked to the disk"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "said"), [([], "without any file"), (["a/"], "without any file"), (["a.dcm", "a.dcm"], "two members of one name")]
)
def test_an_archive_of_nothing_or_of_two_of_one_name(tmp_path, members, said):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for name in members:
            archive.writestr(name, b"" if name.endswith("/") else b"x")
    assert said in refusal(tmp_path / "films.zip").sentence


def test_an_archive_of_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    zipped(tmp_path / "films.zip", {f"{index}.dcm": b"x" for index in range(4)})
    reason = refusal(tmp_path / "films.zip")
    assert reason.code == Code.TOO_LARGE and "4 members" in reason.sentence


def test_an_archive_whose_list_of_members_is_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_DIRECTORY_BYTES", 1 << 20)
    zipped(tmp_path / "films.zip", {f"{index:05}{'x' * 200}.dcm": b"" for index in range(5000)})
    reason = refusal(tmp_path / "films.zip")
    assert reason.code == Code.TOO_LARGE and "list of members" in reason.sentence


def test_an_archive_that_is_a_bomb_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LARGEST_FILE_BYTES", 4 << 20)
    zipped(tmp_path / "films.zip", {f"{index}.dcm": bytes(1 << 20) for index in range(8)})
    reason = refusal(tmp_path / "films.zip")
    assert reason.code == Code.TOO_LARGE and "times its bytes" in reason.sentence


def test_members_that_overlap_to_be_many_count_each(tmp_path, monkeypatch):
    """A directory of many entries for the same bytes."""
    monkeypatch.setattr(bounds, "LARGEST_FILE_BYTES", 4 << 20)
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(bytes(1 << 20)) + packed.flush()
    head = struct.pack("<4s5H3I2H", LOCAL, 20, 0, 8, 0, 0, zlib.crc32(bytes(1 << 20)), len(body), 1 << 20, 1, 0) + b"a"
    directory = b"".join(
        struct.pack(
            "<4s6H3I5H2I", CENTRAL, 20, 20, 0, 8, 0, 0, zlib.crc32(bytes(1 << 20)), len(body), 1 << 20, 5, 0, 0, 0, 0, 0, 0
        )
        + f"{index:05}".encode()
        for index in range(900)
    )
    start = len(head) + len(body)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 900, 900, len(directory), start, 0)
    (tmp_path / "films.zip").write_bytes(head + body + directory + end)
    assert refusal(tmp_path / "films.zip").code == Code.TOO_LARGE


@pytest.mark.parametrize("honest", [True, False])
def test_a_member_that_is_a_bomb(tmp_path, monkeypatch, honest):
    monkeypatch.setattr(bounds, "LARGEST_FILE_BYTES", 1 << 20)
    path = zipped(tmp_path / "films.zip", {"film.dcm": np.random.default_rng(0).bytes(50_000) + bytes(3 << 20)})
    if not honest:  # it tells of 1000 bytes
        path.write_bytes(changed(path.read_bytes(), CENTRAL, 24, struct.pack("<I", 1000)))
    reason = refusal(path / "film.dcm")
    assert reason.code == (Code.TOO_LARGE if honest else Code.UNREADABLE)


def test_a_gzip_of_several_parts_is_bounded_over_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LARGEST_FILE_BYTES", 1 << 20)
    content = write(tmp_path, name="plain.dcm").read_bytes()
    (tmp_path / "film.dcm.gz").write_bytes(gzip.compress(content[:900]) + gzip.compress(content[900:]))
    np.testing.assert_array_equal(read_radiograph(tmp_path / "film.dcm.gz"), read_radiograph(tmp_path / "plain.dcm"))
    (tmp_path / "film.dcm.gz").write_bytes(gzip.compress(content) + 3 * gzip.compress(bytes(1 << 19)))
    assert refusal(tmp_path / "film.dcm.gz").code == Code.TOO_LARGE


MASKS = {
    "two.png": np.where(BYTES > 99, 255, 0).astype(np.uint8),
    "four.png": (BYTES // 64).astype(np.uint8),
    "eight.tif": (BYTES // 32).astype(np.uint8),
    "ones.nii": (BYTES > 99).astype(np.uint8),
    "labels.nii": (BYTES // 64).astype(np.int16),
    "soft.nii": (BYTES // 64 / 4).astype(np.float32),
    "colours.png": np.dstack([BYTES // 64 * 60] * 3).astype(np.uint8),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_of_labels_is_told_from_a_radiograph(tmp_path, name):
    pixels = MASKS[name]
    path = tmp_path / name
    if name.endswith(".nii"):
        nib.save(nib.Nifti1Image(pixels.T, np.diag([0.3, 0.3, 1, 1])), path)
    else:
        Image.fromarray(pixels).save(path)
    reason = refusal(path)
    assert reason.code == Code.NOT_A_RADIOGRAPH and "different values, like a mask" in reason.sentence


def test_a_radiograph_of_few_greys_is_no_mask(tmp_path):
    Image.fromarray((BYTES // 16 * 16).astype(np.uint8)).save(tmp_path / "film.png")  # of 4 bits
    assert np.unique(read_radiograph(tmp_path / "film.png")).size == 16
