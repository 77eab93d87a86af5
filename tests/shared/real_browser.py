"""Debian's chromium, driven by Playwright."""

import shutil

import pytest
from absent import absent
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium")
    if program is None:
        absent("Debian's chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
