"""A Homebrew formula of a release, with the locked dependencies as its resources.

python -m scripts.packaging.homebrew dist/ollapy-1.0.tar.gz --homepage URL --sources URL > ollapy.rb

SOURCES is where the index keeps source distributions by name: the formula's addresses are SOURCES/n/name/file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.packaging.lock import Source, locked, project

# Homebrew has these itself, compiled.
OWN = {
    "certifi": ("certifi",),
    "cffi": ("cryptography",),
    "cryptography": ("cryptography",),
    "numpy": ("numpy",),
    "pycparser": ("cryptography",),
}
_BUILD = ("cmake", "ninja", "rust")
_PYTHON = "python@3.13"
_FORMULA = """\
class Ollapy < Formula
  include Language::Python::Virtualenv

  desc {desc}
  homepage {homepage}
  url {url}
  sha256 {sha256}
  license {license}

{depends}
{resources}
  def install
    virtualenv_install_with_resources
    man1.install_symlink Dir[libexec/"share/man/man1/*.1"]
    generate_completions_from_executable(bin/"ollapy", shell_parameter_format: :typer)
  end

  service do
    run [opt_bin/"ollapy", "serve"]
    keep_alive crashed: true
    log_path var/"log/ollapy.log"
    error_log_path var/"log/ollapy.log"
  end

  test do
    ENV["OLLAPY_HOST"] = "127.0.0.1:#{{free_port}}"
    ENV["OLLAPY_MODELS"] = testpath/"models"
    assert_match "Paris", shell_output("#{{bin}}/ollapy run tiny 'What is the capital of France?'")
  ensure
    system bin/"ollapy", "serve", "--stop"
  end
end
"""
_RESOURCE = """\
  resource {name} do
    url {url}
    sha256 {sha256}
  end
"""


def formula(release: Source, sources: str, homepage: str) -> str:
    """The formula of a release of the package."""
    said = project()
    resources = [it for it in locked() if it.name not in OWN]
    return _FORMULA.format(
        desc=_ruby(said["description"]),
        homepage=_ruby(homepage),
        url=_ruby(address(release, sources)),
        sha256=_ruby(release.sha256),
        license=_ruby(said["license"]),
        depends="".join(_depends()),
        resources="\n".join(_resource(it, sources) for it in resources),
    )


def address(source: Source, sources: str) -> str:
    """Where an index keeps a source distribution."""
    return f"{sources.rstrip('/')}/{source.name[0]}/{source.name}/{source.file}"


def _depends() -> Iterable[str]:
    for name in _BUILD:
        yield f"  depends_on {_ruby(name)} => :build\n"
    own = {name for it in locked() for name in OWN.get(it.name, ())}
    for name in sorted({*own, "libyaml", _PYTHON}):
        yield f"  depends_on {_ruby(name)}\n"


def _resource(source: Source, sources: str) -> str:
    url = _ruby(address(source, sources))
    name, digest = _ruby(source.name), _ruby(source.sha256)
    return _RESOURCE.format(name=name, url=url, sha256=digest)


def _ruby(text: str) -> str:
    """A string of Ruby's in which nothing is replaced."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("#", "\\#")
    return f'"{escaped}"'


def release_of(file: Path) -> Source:
    """The package as `python -m build --sdist` made it."""
    version = file.name.removesuffix(".tar.gz").rpartition("-")[2]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Source("ollapy", version, file.name, digest)


def main() -> int:
    """Print the formula."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sdist", type=Path)
    parser.add_argument("--homepage", required=True)
    parser.add_argument("--sources", required=True)
    given = parser.parse_args()
    print(formula(release_of(given.sdist), given.sources, given.homepage), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
