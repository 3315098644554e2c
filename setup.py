"""Extension list only; all metadata and tool settings are in pyproject.toml. PERPSIM_BUILD: see HACKING.md, Builds."""

import os
import shutil
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT, JOBS = Path(__file__).resolve().parent, os.cpu_count() or 1
VARIANT = os.environ.get("PERPSIM_BUILD", "")
DEBUG = VARIANT == "debug"
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,  # C semantics everywhere; core/units.pxd owns the rounding
    "embedsignature": False,
}
SANITIZERS = ["-fsanitize=address,undefined"]
FLAGS, LINK_FLAGS = {  # an order passes through many small inline functions: gcc stops before it stops paying
    "": (["-O3", "-ffp-contract=off", "--param", "max-inline-insns-single=1500"], []),
    "debug": (["-O1", "-g"], []),
    "coverage": (["-O0", "-g0", "--coverage"], ["--coverage"]),
    "sanitize": (["-O1", "-g", "-fno-omit-frame-pointer", "-fno-wrapv", *SANITIZERS], SANITIZERS),
}[VARIANT]


def include_view() -> str:
    """Let cimports find core/ under its import name: build/include/perpsim/core -> core/."""
    link = ROOT / "build" / "include" / "perpsim" / "core"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    shutil.rmtree(link, ignore_errors=True)
    try:
        link.symlink_to(ROOT / "core", target_is_directory=True)
    except OSError:  # a file system without symbolic links
        shutil.copytree(ROOT / "core", link)
    return str(ROOT / "build" / "include")


COMMON = {"include_dirs": [numpy.get_include(), "core"], "extra_link_args": LINK_FLAGS}
COMMON["extra_compile_args"] = [*FLAGS, "-Wno-unused-function"]
COMMON["define_macros"] = [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")]
SOURCES = sorted((ROOT / "core").glob("*.pyx"))
EXTENSIONS = [Extension(f"perpsim.core.{path.stem}", [f"core/{path.name}"], **COMMON) for path in SOURCES]
BUILD = {"include_path": [include_view()], "build_dir": str(Path("build", VARIANT, "c")), "nthreads": JOBS}
setup(
    options={"build_ext": {"parallel": JOBS}, "egg_info": {"egg_base": "build"}},
    ext_modules=cythonize(EXTENSIONS, compiler_directives=DIRECTIVES, **BUILD),
)
