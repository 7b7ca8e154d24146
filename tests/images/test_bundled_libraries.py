"""Every C library in the converter process has a minimum version, and meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.images import limits
from tests.images import bundled_libraries

ROOT = Path(limits.__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_every_bundled_library_of_the_decoding_process_has_a_floor() -> None:
    assert set(bundled_libraries.loaded_libraries()) == {
        file for each in bundled_libraries.LIBRARIES for file in each.files
    }


def test_none_is_older_than_its_floor() -> None:
    assert bundled_libraries.outdated_libraries(bundled_libraries.library_versions()) == []


def test_one_that_is_too_old_is_found() -> None:
    old = bundled_libraries.library_versions() | {"libheif": "1.23.0", "libde265": "1.1.0"}
    assert [each.name for each in bundled_libraries.outdated_libraries(old)] == ["libheif", "libde265"]


def test_a_scanner_is_told_the_names_that_advisories_use() -> None:
    parts = json.loads(bundled_libraries.build_sbom(bundled_libraries.library_versions() | {"libheif": "1.23.0"}))[
        "components"
    ]
    assert "cpe:2.3:a:struktur:libheif:1.23.0:*:*:*:*:*:*:*" in [part["cpe"] for part in parts]
    assert len(parts) == len(bundled_libraries.LIBRARIES)


def test_the_decoding_process_can_read_what_it_needs_and_nothing_else() -> None:
    code = "from PIL import Image; from bot.images import decode; decode.load_decoders(); print(*sorted(Image.OPEN))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(said.split()) == limits.MAX_PIXELS_TO_DECODE.keys() - {"MPO"}
