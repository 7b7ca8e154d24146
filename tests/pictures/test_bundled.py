"""The C libraries that decode strangers' pictures: none that nobody looked at, none older than its floor."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.pictures import bounds
from tests.pictures import bundled

ROOT = Path(bounds.__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_every_bundled_library_of_the_decoding_process_has_a_floor() -> None:
    assert set(bundled.loaded()) == {file for each in bundled.LIBRARIES for file in each.files}


def test_none_is_older_than_its_floor() -> None:
    assert bundled.too_old(bundled.versions()) == []


def test_one_that_is_too_old_is_found() -> None:
    old = bundled.versions() | {"libheif": "1.23.0", "libde265": "1.1.0"}
    assert [each.name for each in bundled.too_old(old)] == ["libheif", "libde265"]


def test_a_scanner_is_told_the_names_that_advisories_use() -> None:
    parts = json.loads(bundled.sbom(bundled.versions() | {"libheif": "1.23.0"}))["components"]
    assert "cpe:2.3:a:struktur:libheif:1.23.0:*:*:*:*:*:*:*" in [part["cpe"] for part in parts]
    assert len(parts) == len(bundled.LIBRARIES)


def test_the_decoding_process_can_read_what_it_needs_and_nothing_else() -> None:
    code = "from PIL import Image; from bot.pictures import opening; opening.prepare(); print(*sorted(Image.OPEN))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(said.split()) == bounds.MOST_PIXELS_TO_OPEN.keys() - {"MPO"}
