"""Extension list only; all metadata and tool settings are in pyproject.toml."""

import os
import shutil
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT, JOBS = Path(__file__).resolve().parent, os.cpu_count() or 1
DEBUG = os.environ.get("PERPSIM_DEBUG") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,  # C semantics everywhere; core/units.pxd owns the rounding
    "embedsignature": False,
    "linetrace": DEBUG,
}
MACROS = [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")] + ([("CYTHON_TRACE_NOGIL", "1")] if DEBUG else [])
# An order passes through many small inline functions; by itself, gcc stops inlining long before it stops paying.
FLAGS = ["-O1", "-g"] if DEBUG else ["-O3", "-ffp-contract=off", "--param", "max-inline-insns-single=1500"]


def include_view() -> str:
    """Let cimports find core/ under its import name: build/include/perpsim/core -> core/."""
    view = ROOT / "build" / "include" / "perpsim"
    view.mkdir(parents=True, exist_ok=True)
    link = view / "core"
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)
    try:
        link.symlink_to(ROOT / "core", target_is_directory=True)
    except OSError:  # a file system without symbolic links
        shutil.copytree(ROOT / "core", link)
    return str(ROOT / "build" / "include")


EXTENSIONS = [
    Extension(
        f"perpsim.core.{source.stem}",
        [f"core/{source.name}"],
        include_dirs=[numpy.get_include(), "core"],
        define_macros=MACROS,
        extra_compile_args=[*FLAGS, "-Wno-unused-function"],
    )
    for source in sorted((ROOT / "core").glob("*.pyx"))
]
setup(
    options={"build_ext": {"parallel": JOBS}, "egg_info": {"egg_base": "build"}},
    ext_modules=cythonize(
        EXTENSIONS, include_path=[include_view()], compiler_directives=DIRECTIVES, build_dir="build/c", nthreads=JOBS
    ),
)
