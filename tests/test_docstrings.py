"""The examples in the docstrings run and print what they say."""

import doctest
from importlib import import_module

import pytest

EXAMPLES = (
    "clinical.findings",
    "clinical.screening",
    "dataset.listing",
    "dataset.manifest",
    "dataset.studies",
    "dataset.truth",
    "evaluation.domain_gap.asked",
    "evaluation.domain_gap.features",
    "evaluation.radiomics.stability",
    "evaluation.statistics.net_benefit",
    "measurement",
    "measurement.radiomics",
    "networks.heads",
    "networks.localisation",
    "networks.metadata",
    "networks.sampling",
    "networks.screening",
    "radiograph.geometry",
    "radiograph.reader",
    "radiograph.transforms",
)


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_of_a_module_are_true(module):
    result = doctest.testmod(import_module(f"scripts.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted and not result.failed
