"""The C libraries in the converter process, and the minimum version of each.

They come in the wheels of Pillow and pillow-heif, so audits of Python packages miss them: advisories name libheif or
libtiff. `make audit` lists them, and fails when one is below its minimum:

    python -m tests.images.bundled_libraries [SBOM]

With a path, it also writes an SBOM (CycloneDX) with the CPE names that advisories use, for scanners such as Grype and
Dependency-Track. Raise a minimum when an advisory says so; the test fails until the lock files have followed.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pillow_heif
from PIL import _avif, features

_ROOT = Path(__file__).parents[2]

#: prints the memory map of a process that has loaded the decoders
_LIST_LOADED_SCRIPT = """
from bot.images import converter_process, decode
decode.load_decoders()
print(open("/proc/self/maps").read())
"""


@dataclass(frozen=True)
class BundledLibrary:
    """A library, as advisories name it."""

    name: str
    #: vendor and product of its CPE name
    cpe: str
    #: the beginnings of its file names; none if it is linked into another file
    files: tuple[str, ...]
    floor: str
    #: the advisories behind the minimum, with the version that fixed each
    why: str


LIBRARIES = (
    BundledLibrary(
        "libheif",
        "struktur:libheif",
        ("libheif",),
        "1.23.6",
        "CVE-2026-84383 and GHSA-2jg2-4ch7-h545 (code execution, 1.23.2), GHSA-v8qw-hwjv-44hw and six more (1.23.5)",
    ),
    BundledLibrary(
        "libde265",
        "struktur:libde265",
        ("libde265",),
        "1.1.3",
        "CVE-2026-33165 (1.0.17), GHSA-xp3h-6f5r-8cxp and GHSA-mm7m-v26f-wf8x (use after free, 1.1.2)",
    ),
    BundledLibrary("x265", "multicorewareinc:x265", ("libx265",), "4.2", "loaded with libheif, never used to encode"),
    BundledLibrary("libtiff", "libtiff:libtiff", ("libtiff",), "4.7.2", "CVE-2026-4775 (heap write, after 4.7.1)"),
    BundledLibrary(
        "libwebp",
        "webmproject:libwebp",
        ("libwebp", "libwebpdemux", "libwebpmux", "libsharpyuv"),
        "1.3.2",
        "CVE-2023-4863 (heap write, 1.3.2)",
    ),
    BundledLibrary("libavif", "aomedia:libavif", ("libavif",), "1.3.0", "CVE-2025-48174 and CVE-2025-48175 (1.3.0)"),
    BundledLibrary("dav1d", "videolan:dav1d", (), "1.4.0", "CVE-2024-1580 (1.4.0); in the file of libavif"),
    BundledLibrary(
        "libjpeg-turbo", "libjpeg-turbo:libjpeg-turbo", ("libjpeg",), "3.0.0", "CVE-2023-2804 (heap write, 3.0.0)"
    ),
    BundledLibrary("zlib-ng", "zlib-ng:zlib-ng", (), "2.2.0", "the maintained line; in Pillow's own file"),
    BundledLibrary("openjpeg", "uclouvain:openjpeg", ("libopenjp2",), "2.5.4", "CVE-2025-54874 (2.5.4); not called"),
    BundledLibrary("lcms2", "littlecms:little_cms_color_engine", ("liblcms2",), "2.19", "CVE-2026-41254 (2.19)"),
    BundledLibrary("xz", "tukaani:xz", ("liblzma",), "5.8.4", "CVE-2026-34743 (5.8.3), GHSA-5qpq-xqfv-j9pg (5.8.4)"),
    BundledLibrary("zstd", "facebook:zstandard", ("libzstd",), "1.5.4", "CVE-2022-4899 (1.5.4)"),
    BundledLibrary(
        "libxcb", "x.org:libxcb", ("libxcb",), "1.9.1", "CVE-2013-2064 (1.9.1); nothing calls it without a screen"
    ),
    BundledLibrary("libxau", "x.org:libxau", ("libXau",), "1.0.8", "no advisory; comes with libxcb"),
)


def loaded_libraries() -> dict[str, str]:
    """Return the versions of the wheels' libraries in the converter process, by the beginning of the file name."""
    command = [sys.executable, "-c", _LIST_LOADED_SCRIPT]
    maps = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"\.libs/(\w+?)-[0-9a-f]{8}\.so\.([\d.]+)$", maps, re.MULTILINE))


def library_versions() -> dict[str, str]:
    """Return the version of each library: its own answer, or that of its file name or Pillow's SBOM."""
    heif, files, listed = pillow_heif.libheif_info(), loaded_libraries(), _read_pillow_sbom()
    said = {
        "libheif": heif["libheif"],
        "libde265": heif["decoders"]["libde265"],
        "x265": heif["HEIF"].removeprefix("x265"),
        "libtiff": features.version_codec("libtiff"),
        "libwebp": features.version_module("webp"),
        "libavif": features.version_module("avif"),
        "dav1d": _avif.codec_versions(),
        "libjpeg-turbo": features.version_feature("libjpeg_turbo"),
        "zlib-ng": features.version_feature("zlib_ng"),
        "openjpeg": features.version_codec("jpg_2000"),
        "lcms2": features.version_module("littlecms2"),
    }
    others = {
        "xz": files["liblzma"],
        "zstd": files["libzstd"],
        "libxcb": listed["libxcb"],
        "libxau": listed["libXau"],
    }
    return {name: _parse_version(text) for name, text in (said | others).items()}


def _read_pillow_sbom() -> dict[str, str]:
    """Read the SBOMs in Pillow's wheel."""
    found = [file for file in distribution("pillow").files or () if file.parent.name == "sboms"]
    parts = [part for file in found for part in json.loads(file.read_text())["components"]]
    return {part["name"]: part.get("version", "") for part in parts}


def _parse_version(text: str | None) -> str:
    found = re.search(r"\d+(?:\.\d+)+", text or "")
    if found is None:
        raise LookupError(f"no version in {text!r}")
    return found[0]


def outdated_libraries(found: dict[str, str]) -> list[BundledLibrary]:
    """Return the libraries below their minimum version."""
    return [each for each in LIBRARIES if _version_numbers(found[each.name]) < _version_numbers(each.floor)]


def _version_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def build_sbom(found: dict[str, str]) -> str:
    """Return the libraries as CycloneDX."""
    parts = [
        {
            "type": "library",
            "name": each.name,
            "version": found[each.name],
            "cpe": f"cpe:2.3:a:{each.cpe}:{found[each.name]}:*:*:*:*:*:*:*",
        }
        for each in LIBRARIES
    ]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": parts}, indent=2)


def _main() -> int:
    found = library_versions()
    old = outdated_libraries(found)
    for each in LIBRARIES:
        mark = "TOO OLD" if each in old else "ok"
        print(f"{each.name:14} {found[each.name]:8} at least {each.floor:8} {mark:8} {each.why}")  # noqa: T201 - a command
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(build_sbom(found), encoding="utf-8")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(_main())
