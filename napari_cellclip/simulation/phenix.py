"""Write a plate as an Opera Phenix exports it: one TIFF per site and channel, and Index.idx.xml."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_cellclip.vocabulary import STAINS, Stain, parse_well

CHANNELS: dict[Stain, tuple[int, str, int, int]] = {
    Stain.MITO: (1, "Alexa 647", 640, 706),
    Stain.AGP: (2, "Alexa 568", 561, 599),
    Stain.RNA: (3, "488 long", 488, 599),
    Stain.ER: (4, "Alexa 488", 488, 522),
    Stain.DNA: (5, "HOECHST 33342", 375, 456),
}
"""Channel number, name, excitation and emission (nm), as at the Broad Institute's instrument."""

_NAMESPACE = "http://www.perkinelmer.com/PEHH/HarmonyV5"


def image_name(well: str, site: int, stain: Stain) -> str:
    """Make the file name of one image."""
    row, column = parse_well(well)
    return f"r{row + 1:02d}c{column + 1:02d}f{site:02d}p01-ch{CHANNELS[stain][0]}sk1fk1fl1.tiff"


def write_site(folder: Path, well: str, site: int, pixels: NDArray[np.uint16]) -> None:
    """Write the five images of a site into ``folder/Images``."""
    images = folder / "Images"
    images.mkdir(parents=True, exist_ok=True)
    for stain, image in zip(STAINS, pixels, strict=True):
        tifffile.imwrite(images / image_name(well, site, stain), image, compression="zlib", predictor=True)


def write_index(
    folder: Path,
    name: str,
    shape: tuple[int, int],
    wells: Iterable[str],
    sites: int,
    size: tuple[int, int],
    pixel_size: float,
) -> None:
    """Write ``Images/Index.idx.xml``: plate, channels and positions for a reader.

    Parameters
    ----------
    folder : Path
        Plate folder.
    name : str
        Plate name.
    shape : tuple of int
        Rows and columns of the plate.
    wells : iterable of str
        Names of wells with images.
    sites : int
        Sites in each.
    size : tuple of int
        Rows and columns of an image.
    pixel_size : float
        Micrometres.
    """
    wells = list(wells)
    root = ET.Element("EvaluationInputData", {"xmlns": _NAMESPACE, "Version": "1"})
    _add(root, User="simulation", InstrumentType="Simulation")
    plate = ET.SubElement(ET.SubElement(root, "Plates"), "Plate")
    _add(plate, PlateID=name, Name=name, PlateRows=shape[0], PlateColumns=shape[1])
    codes = {well: "{:02d}{:02d}".format(*(i + 1 for i in parse_well(well))) for well in wells}
    for well in wells:
        ET.SubElement(plate, "Well", id=codes[well])
    listed = ET.SubElement(root, "Wells")
    for well in wells:
        row, column = parse_well(well)
        element = ET.SubElement(listed, "Well")
        _add(element, id=codes[well], Row=row + 1, Col=column + 1)
        for site in range(1, sites + 1):
            for stain in STAINS:
                ET.SubElement(element, "Image", id=f"{codes[well]}K1F{site}P1R{CHANNELS[stain][0]}")
    images = ET.SubElement(root, "Images")
    for well in wells:
        row, column = parse_well(well)
        for site in range(1, sites + 1):
            for stain, (number, channel, excitation, emission) in sorted(
                CHANNELS.items(), key=lambda c: c[1]
            ):
                image = ET.SubElement(images, "Image", Version="1")
                _add(
                    image,
                    id=f"{codes[well]}K1F{site}P1R{number}",
                    State="Ok",
                    URL=image_name(well, site, stain),
                    Row=row + 1,
                    Col=column + 1,
                    FieldID=site,
                    PlaneID=1,
                    TimepointID=0,
                    ChannelID=number,
                    FlimID=1,
                    ChannelName=channel,
                    ImageType="Signal",
                    AcquisitionType="Simulation",
                    ChannelType="Fluorescence",
                )
                for axis in "XY":
                    resolution = ET.SubElement(image, f"ImageResolution{axis}", Unit="m")
                    resolution.text = repr(pixel_size * 1e-6)
                _add(image, ImageSizeX=size[1], ImageSizeY=size[0], MaxIntensity=65535)
                _add(image, MainExcitationWavelength=excitation, MainEmissionWavelength=emission)
    ET.indent(root)
    ET.ElementTree(root).write(folder / "Images" / "Index.idx.xml", encoding="utf-8", xml_declaration=True)


def _add(parent: ET.Element, **children: object) -> None:
    for tag, text in children.items():
        ET.SubElement(parent, tag).text = str(text)
