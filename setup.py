"""What pip needs to know of pyveg: its packages, dependencies, extras, commands and plugins."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

RUNTIME = [
    "click>=8.2",
    "filelock>=3.16",
    "fsspec>=2025.3",
    "matplotlib>=3.10",
    "networkx>=3.4",
    "numba>=0.61",
    "numpy>=2.0",
    "pandas>=2.2",
    "pillow>=11",
    "rasterio>=1.4",
    "rich>=13.9",
    "scikit-image>=0.25",
]

EXTRAS = {
    "azure": ["azure-batch>=15.1", "azure-identity>=1.19", "azure-storage-blob>=12.25"],
    "dask": ["distributed>=2025.1"],
    "earthengine": ["earthengine-api>=1.4"],
    "stac": ["odc-stac>=0.4", "pystac-client>=0.8"],
    "test": ["hypothesis>=6.120", "psutil>=6", "pytest>=8.3", "pytest-timeout>=2.3"],
    "check": ["import-linter>=2.1", "mypy>=1.14", "pandas-stubs>=2.2", "ruff>=0.9"],
}

COMMANDS = {
    "pyveg_run_pipeline": "pyveg.scripts.run_pipeline:main",
    "pyveg_run_module": "pyveg.scripts.run_module:main",
    "pyveg_calc_EC": "pyveg.scripts.calc_EC:main",
}

PLUGINS = {
    "pyveg.modules": {
        "VegetationDownloader": "pyveg.modules.download:VegetationDownloader",
        "WeatherDownloader": "pyveg.modules.download:WeatherDownloader",
        "VegetationImageProcessor": "pyveg.modules.imagery:VegetationImageProcessor",
        "NetworkCentralityCalculator": "pyveg.modules.centrality:NetworkCentralityCalculator",
        "NDVICalculator": "pyveg.modules.ndvi:NDVICalculator",
        "WeatherImageToJSON": "pyveg.modules.weather:WeatherImageToJSON",
        "VegAndWeatherJsonCombiner": "pyveg.modules.combine:VegAndWeatherJsonCombiner",
    },
    "pyveg.sources": {
        "simulated": "pyveg.sources.simulated:SimulatedSource",
        "folder": "pyveg.sources.folder:FolderSource",
    },
    "pyveg.storage": {
        "memory": "pyveg.storage.memory:MemoryStore",
        "local": "pyveg.storage.local:LocalStore",
        "fsspec": "pyveg.storage.remote:FsspecStore",
    },
    "pyveg.runners": {
        "serial": "pyveg.runners.local:SerialRunner",
        "threads": "pyveg.runners.local:ThreadRunner",
        "processes": "pyveg.runners.processes:ProcessRunner",
    },
}


def lines(table: dict[str, str]) -> list[str]:
    """Entry points in the form that setuptools reads."""
    return [f"{name} = {target}" for name, target in table.items()]


setup(
    name="pyveg",
    version="2.0.0.dev0",
    description="From satellite imagery of a place to early-warning signals of its vegetation",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["pyveg", "pyveg.*"]),
    package_data={"pyveg": ["py.typed", "scripts/*.sh"]},
    install_requires=RUNTIME,
    extras_require={**EXTRAS, "dev": [*EXTRAS["test"], *EXTRAS["check"]]},
    entry_points={
        "console_scripts": lines(COMMANDS),
        **{group: lines(table) for group, table in PLUGINS.items()},
    },
)
