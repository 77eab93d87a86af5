"""The screen that a configuration declares, as everything that needs findings makes it."""

import pytest
from fake_screening import ABSENT, RIGHT, FakeCascade, channels_of, fake_screen
from scripts.clinical import Code, Reason
from scripts.screening import load_screen


def test_files_of_one_study_are_read_and_screened_together():
    screen = fake_screen(FakeCascade(channels_of(RIGHT, ABSENT), channels_of(ABSENT, RIGHT)))
    findings = screen.files(["in/right.dcm", "in/chest.dcm", "in/left.dcm"])
    assert [found.name for found in findings.radiographs] == ["right.dcm", "chest.dcm", "left.dcm"]
    assert screen.reader.seen == ["right.dcm", "chest.dcm", "left.dcm"]
    refused = findings.radiographs[1]
    assert refused.seen is None and refused.reason == refused.outcome and refused.reason.code == Code.NOT_A_HIP
    assert findings.study.sources == (0, 2) and findings.study.reason is None


def test_a_refused_radiograph_costs_no_look():
    found = fake_screen(network := FakeCascade()).see({"name": "x", "refusal": Reason(Code.UNREADABLE, "Damaged.")})
    assert found.seen is None and found.reason.code == Code.UNREADABLE
    assert len(network.channels) == 1


def test_the_network_is_as_it_was_after_a_look():
    screen = fake_screen(network := FakeCascade())
    network.train()
    assert screen.files(["hip.dcm"]).radiographs[0].seen
    assert network.training


def test_dropout_and_batch_statistics_play_no_part_even_where_two_radiographs_are_joined():
    class Watched(FakeCascade):
        def join(self, *args, **kwargs):
            assert not self.training
            return super().join(*args, **kwargs)

    network = Watched(channels_of(RIGHT, ABSENT), channels_of(ABSENT, RIGHT)).train()
    assert fake_screen(network).files(["in/right.dcm", "in/left.dcm"]).study.sources == (0, 1)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "inference.yaml"
    path.write_text("seed: 0\ndataset_dir: null\nscreen: $[@dataset_dir, @seed]\n")
    return path


def test_settings_are_taken_as_they_stand(config):
    assert load_screen([config], dataset_dir="@odd/$path", seed=3) == ["@odd/$path", 3]
    assert load_screen([config]) == [None, 0]


def test_a_setting_that_the_configuration_lacks_is_named(config):
    with pytest.raises(ValueError, match="has no key 'sed'"):
        load_screen([config], sed=3)
