"""Sorting a folder by header alone: which radiographs belong together, what is refused unread, and what everything is called."""

import gzip
import os
import re
import socket
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import CTImageStorage, generate_uid
from radiograph_files import ramp, write
from scripts.dataset.listing import list_passed_over, list_radiographs
from scripts.dataset.pseudonyms import make_key, pseudonymise, read_key, write_key
from scripts.dataset.studies import sort_studies
from scripts.radiograph import read_radiograph

KEY = b"0123456789abcdef0123456789abcdef"


def sort(folder, key=KEY):
    return sort_studies(list_radiographs(folder), folder, key)


def by_file(folder, key=KEY):
    return {os.path.relpath(item["image"], folder): item for item in sort(folder, key)}


def codes(folder):
    return {file: str(item["refusal"].code) if "refusal" in item else "" for file, item in by_file(folder).items()}


def test_radiographs_of_a_study_come_one_after_another(tmp_path):
    one, other = generate_uid(), generate_uid()
    for name, study in (("a.dcm", one), ("b.dcm", other), ("c.dcm", one), ("deep/d.dcm", other)):
        write(tmp_path, name=name, StudyInstanceUID=study)
    items = sort(tmp_path)
    assert [os.path.relpath(item["image"], tmp_path) for item in items] == ["a.dcm", "c.dcm", "b.dcm", "deep/d.dcm"]
    assert items[0]["study"] == items[1]["study"] != items[2]["study"] == items[3]["study"]
    assert len({item["patient"] for item in items}) == 1 and len({item["name"] for item in items}) == 4


def test_two_patients_are_never_one_study(tmp_path):
    uid = generate_uid()  # as a careless anonymiser gives it to everybody
    write(tmp_path, name="a.dcm", StudyInstanceUID=uid, PatientID="1")
    write(tmp_path, name="b.dcm", StudyInstanceUID=uid, PatientID="2")
    write(tmp_path, name="c.dcm", StudyInstanceUID=uid, PatientID="2", IssuerOfPatientID="another hospital")
    items = by_file(tmp_path)
    assert len({item["study"] for item in items.values()}) == len({item["patient"] for item in items.values()}) == 3


def test_the_manifest_parts_what_the_header_confuses(tmp_path):
    uid = generate_uid()
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        write(tmp_path, name=name, StudyInstanceUID=uid, PatientID="")
    (tmp_path / "manifest.csv").write_text("image,patient_id\na.dcm,P1\nb.dcm,P2\nc.dcm,P2\n")
    items = by_file(tmp_path)
    assert items["a.dcm"]["study"] != items["b.dcm"]["study"] == items["c.dcm"]["study"]
    assert items["a.dcm"]["patient"] != items["b.dcm"]["patient"]


def test_pictures_belong_together_by_patient_and_date_of_the_manifest(tmp_path):
    for name in ("a", "b", "c", "d", "e"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{name}.png")
    lines = ("image,patient_id,study_date", "a.png,P1,2020-01-02", "b.png,P1,20200102", "c.png,P1,2021-01-02", "d.png,P1,")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    items = by_file(tmp_path)
    assert items["a.png"]["study"] == items["b.png"]["study"]
    assert len({items[f"{name}.png"]["study"] for name in "acde"}) == 4
    assert (
        len({items[f"{name}.png"]["patient"] for name in "abcd"}) == 1 and items["e.png"]["patient"] != items["a.png"]["patient"]
    )


def test_what_is_no_radiograph_is_refused_by_its_header_alone(tmp_path):
    write(tmp_path, name="film.dcm")
    write(tmp_path, name="ct.dcm", SOPClassUID=CTImageStorage, Modality="CT")
    write(tmp_path, name="chest.dcm", BodyPartExamined="CHEST")
    (tmp_path / "headless.dcm").write_bytes((tmp_path / "ct.dcm").read_bytes()[132:])
    (tmp_path / "junk.bin").write_bytes(b"junk" * 100)
    assert codes(tmp_path) == {
        "film.dcm": "",
        "ct.dcm": "NOT_A_RADIOGRAPH",
        "headless.dcm": "NOT_A_RADIOGRAPH",
        "chest.dcm": "NOT_A_HIP",
        "junk.bin": "",
    }, "what the header does not tell is left to the reader"


def test_what_is_no_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.dcm")  # opening it would wait for ever
    (tmp_path / "zero.dcm").symlink_to("/dev/zero")
    (tmp_path / "dangling.dcm").symlink_to(tmp_path / "absent.dcm")
    (tmp_path / "itself.dcm").symlink_to(tmp_path / "itself.dcm")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "empty.dcm").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.dcm"))
        items = by_file(tmp_path)
    said = {file: item["refusal"].sentence for file, item in items.items()}
    assert {str(item["refusal"].code) for item in items.values()} == {"UNREADABLE"}
    for file, words in {
        "pipe.dcm": "is a pipe",
        "zero.dcm": "is a device",
        "dangling.dcm": "a link that leads nowhere",
        "itself.dcm": "a link that leads nowhere",
        "circle": "a link to a folder",
        "empty.dcm": "is empty",
        "socket.dcm": "is a socket",
    }.items():
        assert words in said[file]


def test_the_same_radiograph_counts_once(tmp_path):
    path = write(tmp_path, name="a.dcm")
    uid = "1.2.3.4"
    write(tmp_path, name="b.dcm", SOPInstanceUID=uid)
    write(tmp_path, np.flipud(ramp()).copy(), name="c.dcm", SOPInstanceUID=uid)
    (tmp_path / "z.dcm").write_bytes(path.read_bytes())
    items = by_file(tmp_path)
    assert codes(tmp_path) == {"a.dcm": "", "b.dcm": "", "c.dcm": "", "z.dcm": "DUPLICATE"}, "b and c differ in their pixels"
    assert items["a.dcm"]["name"] in items["z.dcm"]["refusal"].sentence
    assert len({item["name"] for item in items.values()}) == 4


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_members_of_archives_are_sorted_like_files(tmp_path):
    one, other = generate_uid(), generate_uid()
    for name, study, patient in (("a.dcm", one, "1"), ("b.dcm", one, "1"), ("c.dcm", other, "2"), ("d.dcm", one, "1")):
        write(tmp_path, name=name, StudyInstanceUID=study, PatientID=patient)
    write(tmp_path, name="ct.dcm", SOPClassUID=CTImageStorage, Modality="CT")
    content = {name: (tmp_path / name).read_bytes() for name in ("a.dcm", "b.dcm", "c.dcm", "ct.dcm")}
    for name in content:
        (tmp_path / name).unlink()
    zipped(tmp_path / "films.zip", {"x/a.dcm": content["a.dcm"], "c.dcm": content["c.dcm"], "ct.dcm": content["ct.dcm"]})
    (tmp_path / "b.dcm.gz").write_bytes(gzip.compress(content["b.dcm"]))
    items = by_file(tmp_path)
    assert codes(tmp_path) == {
        "b.dcm.gz": "", "d.dcm": "", "films.zip/c.dcm": "", "films.zip/ct.dcm": "NOT_A_RADIOGRAPH", "films.zip/x/a.dcm": "",
    }  # fmt: skip
    assert items["films.zip/x/a.dcm"]["study"] == items["b.dcm.gz"]["study"] == items["d.dcm"]["study"]
    assert items["films.zip/x/a.dcm"]["patient"] == items["d.dcm"]["patient"] != items["films.zip/c.dcm"]["patient"]


def test_the_same_radiograph_counts_once_however_it_is_packed(tmp_path):
    content = write(tmp_path, name="a.dcm").read_bytes()
    (tmp_path / "b.dcm.gz").write_bytes(gzip.compress(content))
    zipped(tmp_path / "c.zip", {"film.dcm": content, "film.gz": gzip.compress(content)})
    duplicate = "DUPLICATE"
    assert codes(tmp_path) == {"a.dcm": "", "b.dcm.gz": duplicate, "c.zip/film.dcm": duplicate, "c.zip/film.gz": duplicate}


def test_what_else_an_archive_holds_is_named(tmp_path):
    content = write(tmp_path, name="film.dcm").read_bytes()
    others = ("notes.txt", "x/DICOMDIR", ".DS_Store", ".cache/film.dcm", "__MACOSX/._film.dcm")
    zipped(tmp_path / "films.zip", {"film.dcm": content, "inner.zip": b"PK\3\4", **dict.fromkeys(others, b"x")})
    assert codes(tmp_path) == {"film.dcm": "", "films.zip/film.dcm": "DUPLICATE", "films.zip/inner.zip": "UNREADABLE"}
    assert {one.file for one in list_passed_over(tmp_path)} == {f"films.zip/{name}" for name in others}


def test_names_of_members_may_be_longer_than_those_of_files(tmp_path):
    content = write(tmp_path, name="film.dcm").read_bytes()
    (tmp_path / "film.dcm").unlink()
    long, longer = f"{'x' * 5000}.dcm", f"a.zip/{'y' * 60000}.txt"
    zipped(tmp_path / "films.zip", {long: content, longer: b"x"})
    assert codes(tmp_path) == {f"films.zip/{long}": ""}
    assert [one.file for one in list_passed_over(tmp_path)] == [f"films.zip/{longer}"]
    assert read_radiograph(tmp_path / "films.zip" / long).shape == (1, *ramp().shape)


def test_an_archive_that_is_refused_is_one_row_and_the_others_go_on(tmp_path):
    content = write(tmp_path, name="film.dcm").read_bytes()
    zipped(tmp_path / "good.zip", {"other.dcm": content})
    zipped(tmp_path / "hostile.zip", {"film.dcm": content, "../film.dcm": content})
    (tmp_path / "cut.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:-30])
    (tmp_path / "none.zip").write_text("no archive")
    (tmp_path / "plain.zip").write_bytes(content)
    assert codes(tmp_path) == {
        "film.dcm": "", "good.zip/other.dcm": "DUPLICATE", "hostile.zip": "UNREADABLE", "cut.zip": "UNREADABLE", "none.zip": "",
        "plain.zip": "DUPLICATE",
    }  # fmt: skip


def test_a_manifest_names_members_of_archives(tmp_path):
    Image.fromarray(ramp().astype(np.uint8)).save(tmp_path / "a.png")
    zipped(tmp_path / "films.zip", {"x/a.png": (tmp_path / "a.png").read_bytes(), "notes.txt": b""})
    (tmp_path / "a.png").unlink()
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("image,patient_id,age_years\nfilms.zip/x/a.png,P1,15\n")
    (item,) = sort(tmp_path)
    assert (item["patient_id"], item["age_years"]) == ("P1", 15)
    for absent in ("films.zip/b.png", "films.zip/notes.txt", "films.zip/x"):
        manifest.write_text(f"image\n{absent}\n")
        with pytest.raises(ValueError, match=rf"manifest\.csv, column image: '{absent}' is no radiograph in its archive"):
            sort(tmp_path)


def test_many_members_of_one_archive_are_sorted_in_little_time(tmp_path):
    content = write(tmp_path, name="film.dcm", SOPInstanceUID="1.2.3.4").read_bytes()
    (tmp_path / "film.dcm").unlink()
    # All with one UID, as a careless anonymiser gives it.
    zipped(tmp_path / "films.zip", {f"{index}.dcm": content.replace(b"063Y", b"%03dY" % (index % 100)) for index in range(1000)})
    began = time.process_time()
    assert sum("refusal" in item for item in sort(tmp_path)) == 900
    assert time.process_time() - began < 30, "the archive's list of members, or a member, is read many times"


def test_hostile_headers_are_left_to_the_reader_at_once(tmp_path):
    start = write(tmp_path, name="film.dcm").read_bytes()[:400]
    (tmp_path / "bomb.dcm").write_bytes(start + b"\x08\x00\x05\x10LO\x00\x00" * 3_000_000)
    deflated = bytearray(write(tmp_path, name="deflated.dcm").read_bytes())
    deflated[deflated.index(b"1.2.840.10008.1.2.1\0") :] = b"1.2.840.10008.1.2.1.99"[:20] + zlib.compress(bytes(1 << 26))
    (tmp_path / "deflated.dcm").write_bytes(bytes(deflated))
    began = time.process_time()
    assert set(codes(tmp_path).values()) == {""}
    assert time.process_time() - began < 5


def test_names_that_are_no_utf8_are_files_like_others(tmp_path):
    name = os.fsdecode(b"M\xfcller.dcm")
    write(tmp_path, name="film.dcm").rename(tmp_path / name)
    (item,) = sort(tmp_path)
    assert re.fullmatch("[0-9a-f]{16}", item["name"])


def test_pseudonyms_are_the_keys(tmp_path):
    write(tmp_path, name="a.dcm")
    one, same, other = by_file(tmp_path), by_file(tmp_path), by_file(tmp_path, make_key())
    assert one == same
    for kind in ("name", "study", "patient"):
        assert re.fullmatch("[0-9a-f]{16}", one["a.dcm"][kind]) and one["a.dcm"][kind] != other["a.dcm"][kind]
    assert pseudonymise(KEY, "ab", "c") != pseudonymise(KEY, "a", "bc")


def test_a_key_is_its_owners_alone_and_never_replaced(tmp_path):
    path = tmp_path / "pseudonym.key"
    write_key(KEY, path)
    write_key(make_key(), path)
    assert read_key(path) == KEY and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"short", b"x" * 5000, None])
def test_a_key_that_is_none_is_refused(tmp_path, content):
    if content:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ValueError, match="Make one by: head -c 32"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize(
    ("header", "manifest", "date"),
    [
        ("20240301", "", "2024-03-01"),
        ("2024.03.01", "", "2024-03-01"),
        ("20240301", "2026-05-02", "2026-05-02"),
        ("", "20260502", "2026-05-02"),
        ("20240199", "", ""),
        ("", "", ""),
    ],
)
def test_a_studys_date_is_of_the_manifest_else_of_the_header(tmp_path, header, manifest, date):
    write(tmp_path, name="a.dcm", StudyDate=header)
    (tmp_path / "manifest.csv").write_text(f"image,study_date\na.dcm,{manifest}\n")
    assert by_file(tmp_path)["a.dcm"]["date"] == date
