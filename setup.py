"""Extension list only; all metadata and tool settings are in pyproject.toml.

PERPSIM_BUILD names a variant of the core that is built beside the product, in build/<variant> (see HACKING.md):

    coverage    each C line counts its visits; nothing is optimised, so that every line of the sources keeps its own
    sanitize    memory errors and undefined behaviour end the process. The flag that lets signed sums wrap, which Python
                builds its extensions with, is taken back: a sum that wraps is a mistake here
"""

import os
import shutil
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).resolve().parent
DEBUG = os.environ.get("PERPSIM_DEBUG") == "1"
VARIANT = os.environ.get("PERPSIM_BUILD", "")
JOBS = os.cpu_count() or 1

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,  # C semantics everywhere; core/units.pxd owns the rounding
    "embedsignature": False,
}
SANITIZERS = ["-fsanitize=address,undefined"]
FLAGS, LINK_FLAGS = {
    "": (["-O1", "-g"] if DEBUG else ["-O3", "-ffp-contract=off"], []),
    "coverage": (["-O0", "-g0", "--coverage"], ["--coverage"]),
    "sanitize": (["-O1", "-g", "-fno-omit-frame-pointer", "-fno-wrapv", *SANITIZERS], SANITIZERS),
}[VARIANT]


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
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=[*FLAGS, "-Wno-unused-function"],
        extra_link_args=LINK_FLAGS,
    )
    for source in sorted((ROOT / "core").glob("*.pyx"))
]
setup(
    options={"build_ext": {"parallel": JOBS}, "egg_info": {"egg_base": "build"}},
    ext_modules=cythonize(
        EXTENSIONS,
        include_path=[include_view()],
        compiler_directives=DIRECTIVES,
        build_dir=str(Path("build", VARIANT, "c")),
        nthreads=JOBS,
    ),
)
