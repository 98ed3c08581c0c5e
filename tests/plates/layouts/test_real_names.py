"""Folders with names as instruments wrote them, found in public repositories, data sets and vendors' manuals.

The images are made, the names are not: what each folder must open as is known from the source named beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.layouts import LAYOUTS
from napari_cellclip.plates.layouts.named import (
    cellomics,
    columbus,
    cq1,
    evos,
    incucyte,
    leica,
    micromanager,
    nikon,
    scanr,
    zen,
)
from napari_cellclip.vocabulary import PlateError, Stain
from tests.plates.made_plates import image


@dataclass(frozen=True)
class Case:
    """A folder: its files, what it must open as, and the file that a channel of a site must be read from."""

    layout: str
    files: tuple[str, ...]
    sites: tuple[str, ...]
    channels: tuple[str, ...]
    read: tuple[str, str, str]
    stains: dict[Stain, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    told: str = ""


_GUIDS = (
    "46C9B2CD-0BB3-4B8A-9187-2805F4C90506",
    "6EFE77C6-B96D-412A-9FD1-710DBDA32821",
    "B90625C8-6EA7-4E54-8289-C539EB75263E",
    "EDDF803A-AE5E-4190-8C06-F54341AEC4A6",
)
_JUMP8 = "A1166127/Images/HTS_A01_s1_w"

CASES = {
    # IMX database export with thumbnails (faim-ipa, docs of the reader).
    "ImageXpress database": Case(
        "metaxpress",
        (
            f"2022-07-05/1075/MIP-2P-2sub_C05_s1_w1{_GUIDS[0]}.tif",
            f"2022-07-05/1075/MIP-2P-2sub_C05_s1_w1_thumb{_GUIDS[1]}.tif",
            f"2022-07-05/1075/MIP-2P-2sub_C05_s1_w2{_GUIDS[2]}.tif",
            f"2022-07-05/1075/MIP-2P-2sub_C05_s1_w2_thumb{_GUIDS[3]}.tif",
        ),
        ("C05/1",),
        ("w1", "w2"),
        ("C05/1", "w2", f"MIP-2P-2sub_C05_s1_w2{_GUIDS[2]}.tif"),
    ),
    # BBBC021.
    "BBBC021": Case(
        "metaxpress",
        (
            "Week1_22123/Week1_150607_B02_s1_w107447158-AC76-4844-8431-E6A954BD1174.tif",
            "Week1_22123/Week1_150607_B02_s1_w23FDB0AC4-EA74-4D33-A7D4-8FFC4C9ED7C8.tif",
            "Week1_22123/Week1_150607_B02_s1_w429636E34-C663-4E49-84B5-3EA429CAB4CE.tif",
        ),
        ("B02/1",),
        ("w1", "w2", "w4"),
        ("B02/1", "w4", "Week1_150607_B02_s1_w429636E34-C663-4E49-84B5-3EA429CAB4CE.tif"),
    ),
    # Source 8 of JUMP: the gallery's load_data has DNA in w5 and Mito in w1.
    "JUMP source 8": Case(
        "metaxpress",
        (
            f"{_JUMP8}52C47F0FB-BD5E-465A-8A92-9E2ED9E72A12.tif",
            f"{_JUMP8}29D9B15E0-0F42-4A59-A2F8-619BD017D1D1.tif",
            f"{_JUMP8}4194CE2FF-40C4-45F0-B9D7-AE81D0047EEA.tif",
            f"{_JUMP8}1250BC2CE-02B0-48F6-9533-69E9CAC91BF5.tif",
            f"{_JUMP8}30A163325-7B23-4E3C-BC17-E995BCF8818D.tif",
        ),
        ("A01/1",),
        ("w1", "w2", "w3", "w4", "w5"),
        ("A01/1", "w5", "HTS_A01_s1_w52C47F0FB-BD5E-465A-8A92-9E2ED9E72A12.tif"),
        told="source 8 of JUMP",
    ),
    # idr0006 and idr0081 at downloads.openmicroscopy.org.
    "idr0006": Case(
        "metaxpress",
        tuple(
            f"plate 11001_Plate_136/TimePoint_1/plate 11001_A01_s{s}_w{w}.TIF"
            for s in (9, 10)
            for w in (1, 2)
        ),
        ("A01/9", "A01/10"),
        ("w1", "w2"),
        ("A01/10", "w1", "plate 11001_A01_s10_w1.TIF"),
    ),
    "idr0081": Case(
        "tiff-folder",
        ("BSF018292-1A_A01_w1.TIF", "BSF018292-1A_A01_w2.TIF"),
        ("A01/1",),
        ("w1", "w2"),
        ("A01/1", "w2", "BSF018292-1A_A01_w2.TIF"),
    ),
    # CellReporterXpress exports; before, Z01 was read as a well.
    "planes in the name": Case(
        "metaxpress",
        tuple(f"TimePoint_1/A01_s1_w{w}_z{z}.tif" for w in (1, 2) for z in (1, 2, 3)),
        ("A01/1",),
        ("w1", "w2"),
        ("A01/1", "w2", "A01_s1_w2_z3.tif"),
    ),
    "time and planes in the name": Case(
        "metaxpress",
        tuple(f"t{t}_B03_s2_w{w}_z{z}.tif" for t in (1, 3) for w in (1, 2) for z in (1, 4)),
        ("B03/2",),
        ("w1", "w2"),
        ("B03/2", "w2", "t1_B03_s2_w2_z4.tif"),
        told="time point 1 of 2",
    ),
    # Cell Painting Gallery: sources 2 and 10 (CV8000), 3 (Phenix).
    "JUMP source 10": Case(
        "yokogawa",
        tuple(
            f"Dest210809-141456/Dest210809-141456_K06_T0001F001L01A0{a}Z01C0{c}.tif"
            for a, c in ((1, 1), (2, 2), (2, 3), (3, 4), (1, 5))
        ),
        ("K06/1",),
        ("C01", "C02", "C03", "C04", "C05"),
        ("K06/1", "C05", "Dest210809-141456_K06_T0001F001L01A01Z01C05.tif"),
        told="source 10 of JUMP",
    ),
    "JUMP source 3": Case(
        "phenix",
        tuple(
            f"BR5867a3__2022-04-29T01_02_16-Measurement 1/Images/r01c01f01p01-ch{c}sk1fk1fl1.tiff"
            for c in (1, 2, 3, 4, 5)
        ),
        ("A01/1",),
        ("ch1", "ch2", "ch3", "ch4", "ch5"),
        ("A01/1", "ch4", "r01c01f01p01-ch4sk1fk1fl1.tiff"),
    ),
    # CV7000 converted to PNG (fractal-tasks-core, regression fixtures).
    "CellVoyager PNG": Case(
        "yokogawa",
        (
            "20200812-CardiomyocyteDifferentiation14-Cycle1_B03_T0001F036L01A01Z18C01.png",
            "20200812-CardiomyocyteDifferentiation14-Cycle1_B03_T0001F036L01A01Z19C01.png",
        ),
        ("B03/36",),
        ("C01",),
        ("B03/36", "C01", "20200812-CardiomyocyteDifferentiation14-Cycle1_B03_T0001F036L01A01Z19C01.png"),
    ),
    # A user's folder at forum.image.sc 52615; wells are numbered and have no place without the OME-XML.
    "CQ1": Case(
        "cq1",
        tuple(f"Projection/W026{w}F000{f}T0001Z000C{c}.tif" for w in (2, 3) for f in (1, 2) for c in (1, 2)),
        ("field1/1", "field1/2", "field2/1", "field2/2"),
        ("C1", "C2"),
        ("field2/1", "C2", "W0263F0001T0001Z000C2.tif"),
        told="MeasurementResult.ome.xml",
    ),
    # PerkinElmer: "r=row, c=column, f=field, p=plane, rc=record (channel)"; before, no well was read.
    "Operetta records": Case(
        "phenix",
        tuple(f"Images/r02c07f0{f}p01rc{c}-ch1sk1fk1fl1.tiff" for f in (1, 2) for c in (1, 2, 3)),
        ("B07/1", "B07/2"),
        ("ch1", "ch2", "ch3"),
        ("B07/2", "ch3", "r02c07f02p01rc3-ch1sk1fk1fl1.tiff"),
    ),
    "Phenix, short names": Case(
        "phenix",
        ("r01c01f001p01-ch1.tiff", "r01c01f001p01-ch2.tiff"),
        ("A01/1",),
        ("ch1", "ch2"),
        ("A01/1", "ch2", "r01c01f001p01-ch2.tiff"),
    ),
    # Columbus 2.4 exports; the last three digits are the channel.
    "Columbus": Case(
        "columbus",
        tuple(f"P1/003002-{f}-00100100{c}.tif" for f in (1, 2) for c in (1, 2)),
        ("C02/1", "C02/2"),
        ("ch1", "ch2"),
        ("C02/2", "ch1", "003002-2-001001001.tif"),
    ),
    # IN Cell 2000 (zenodo 14777242 and 14769820), before 2200: Plate1_A01(fld 1 wv 390 - Blue).tif.
    "IN Cell, one stack": Case(
        "incell",
        (
            "C - 05(fld 1 wv Cy3 - Cy3).tif",
            *(f"C - 05(fld 1 wv DAPI - DAPI z {z:02d}).tif" for z in (1, 2, 3)),
            "C - 05(fld 1 wv TL-Brightfield - Cy3).tif",
        ),
        ("C05/1",),
        ("Cy3 - Cy3", "DAPI - DAPI"),
        ("C05/1", "DAPI - DAPI", "C - 05(fld 1 wv DAPI - DAPI z 03).tif"),
        {Stain.DNA: "DAPI - DAPI"},
        ("TL-Brightfield - Cy3",),
    ),
    "IN Cell, two Cy5": Case(
        "incell",
        tuple(f"B - 02(fld 1 wv {c}).tif" for c in ("Cy5 - Cy5 wix 4", "Cy5 - Cy5 wix 5", "DAPI - DAPI")),
        ("B02/1",),
        ("Cy5 - Cy5 wix 4", "Cy5 - Cy5 wix 5", "DAPI - DAPI"),
        ("B02/1", "Cy5 - Cy5 wix 5", "B - 02(fld 1 wv Cy5 - Cy5 wix 5).tif"),
        {Stain.DNA: "DAPI - DAPI"},
    ),
    "IN Cell, plate in the name": Case(
        "incell",
        tuple(f"Plate1_A01(fld 1 wv {c}).tif" for c in ("390 - Blue", "473 - Green", "631 - FarRed")),
        ("A01/1",),
        ("390 - Blue", "473 - Green", "631 - FarRed"),
        ("A01/1", "631 - FarRed", "Plate1_A01(fld 1 wv 631 - FarRed).tif"),
    ),
    "IN Cell, time points": Case(
        "incell",
        (
            "A - 01(fld 1 wv UV - DAPI z 3 time 2 - 2636ms).tif",
            "A - 01(fld 1 wv Blue - FITC z 3 time 2 - 2636ms).tif",
        ),
        ("A01/1",),
        ("Blue - FITC", "UV - DAPI"),
        ("A01/1", "UV - DAPI", "A - 01(fld 1 wv UV - DAPI z 3 time 2 - 2636ms).tif"),
        {Stain.DNA: "UV - DAPI", Stain.ER: "Blue - FITC"},
    ),
    # Cellomics, exported: scientists' code, and the ArrayScan manual for kinetic plates.
    "Cellomics": Case(
        "cellomics",
        tuple(
            f"MFGTMP_140206180002_{w}f0{f}d{d}.TIF" for w in ("A01", "B12") for f in (0, 1) for d in (0, 1, 2)
        ),
        ("A01/0", "A01/1", "B12/0", "B12/1"),
        ("d0", "d1", "d2"),
        ("B12/1", "d2", "MFGTMP_140206180002_B12f01d2.TIF"),
    ),
    "Cellomics, kinetic": Case(
        "cellomics",
        tuple(f"020506plateruni3t00{t}A01f01d{d}.TIF" for t in (1, 2) for d in (0, 2)),
        ("A01/1",),
        ("d0", "d2"),
        ("A01/1", "d2", "020506plateruni3t001A01f01d2.TIF"),
        told="time point 1 of 2",
    ),
    # A Cell Painting plate of an EVOS, with the copies the instrument may write beside it.
    "EVOS": Case(
        "evos",
        tuple(
            f"scan.2024-11-15-15-28-55/scan_Plate_{k}_p00_0_B02f0{f}d{d}.TIF"
            for k in "RDM"
            for f in (0, 1)
            for d in range(5)
        ),
        ("B02/0", "B02/1"),
        ("d0", "d1", "d2", "d3", "d4"),
        ("B02/1", "d3", "scan_Plate_R_p00_0_B02f01d3.TIF"),
        told="20 displayed and merged copies",
    ),
    "EVOS, planes": Case(
        "evos",
        ("P1_Plate_M_p00_z00_0_A01f00d0.TIF", "P1_Plate_M_p00_z01_0_A01f00d0.TIF"),
        ("A01/0",),
        ("d0",),
        ("A01/0", "d0", "P1_Plate_M_p00_z01_0_A01f00d0.TIF"),
    ),
    # ScanR: a user's list, and idr0009, whose spots on slides have numbers and no wells.
    "ScanR": Case(
        "scanr",
        tuple(
            f"data/A{w}--W0000{w}--P0000{p}--Z00000--T00000--{c}.tif"
            for w in (1, 2)
            for p in (1, 2)
            for c in ("488nm", "Transmission-CSU", "DAPI")
        ),
        ("A01/1", "A01/2", "A02/1", "A02/2"),
        ("488nm", "DAPI"),
        ("A02/2", "DAPI", "A2--W00002--P00002--Z00000--T00000--DAPI.tif"),
        {Stain.DNA: "DAPI"},
        ("Transmission-CSU",),
    ),
    "ScanR, slide": Case(
        "scanr",
        tuple(
            f"data/--W0000{w}--P00001--Z00000--T00000--{c}.tif"
            for w in (1, 2)
            for c in ("nucleus-dapi", "pm-647", "vsvg-cfp")
        ),
        ("field1/1", "field2/1"),
        ("nucleus-dapi", "pm-647", "vsvg-cfp"),
        ("field2/1", "pm-647", "--W00002--P00001--Z00000--T00000--pm-647.tif"),
        {Stain.DNA: "nucleus-dapi"},
        told="name no wells",
    ),
    # Gen5: names of the tests of bioformats2raw, which are "taken from real-world data".
    "Gen5, old": Case(
        "gen5",
        tuple(f"A1_1Z{z}_DAPI_1_001_.tif" for z in range(5)),
        ("A01/1",),
        ("DAPI",),
        ("A01/1", "DAPI", "A1_1Z4_DAPI_1_001_.tif"),
        {Stain.DNA: "DAPI"},
    ),
    "Gen5, old, a folder a well": Case(
        "gen5",
        ("B2/B2_1_Bright Field_1_001_02.tif", "D3/D3_1_Bright Field_1_001_02.tif"),
        ("B02/1", "D03/1"),
        (),
        ("D03/1", "Bright Field", "D3_1_Bright Field_1_001_02.tif"),
        ignored=("Bright Field",),
    ),
    "Gen5, a folder a well": Case(
        "gen5",
        tuple(
            f"ID_{w} info/{w}_-1_{i}_1_{c}_001.tif"
            for w in ("A9", "E10")
            for i, c in ((1, "Phase Contrast"), (2, "GFP"), (3, "DAPI"))
        ),
        ("A09/1", "E10/1"),
        ("DAPI", "GFP"),
        ("E10/1", "GFP", "E10_-1_2_1_GFP_001.tif"),
        {Stain.DNA: "DAPI"},
        ("Phase Contrast",),
    ),
    "Gen5, computed twice": Case(
        "gen5",
        (
            "A1_-2_1_1_Tsf[Stitched[Channel1 300,400]]_001.tif",
            "A1_-2_2_1_Tsf[Stitched[Channel2 500,600]]_001.tif",
        ),
        ("A01/1",),
        ("Channel1 300,400", "Channel2 500,600"),
        ("A01/1", "Channel2 500,600", "A1_-2_2_1_Tsf[Stitched[Channel2 500,600]]_001.tif"),
        {Stain.RNA: "Channel2 500,600"},
    ),
    "Gen5, regions": Case(
        "gen5",
        tuple(
            f"A1ROI{r}_01_1_1Z{z}_Confocal {c}_001.tif"
            for r in (1, 2)
            for z in (0, 1)
            for c in ("DAPI", "RFP")
        ),
        ("A01/ROI1-1", "A01/ROI2-1"),
        ("Confocal DAPI", "Confocal RFP"),
        ("A01/ROI2-1", "Confocal RFP", "A1ROI2_01_1_1Z1_Confocal RFP_001.tif"),
        {Stain.DNA: "Confocal DAPI"},
    ),
    # Leica: fixtures of leicaexperiment, where U is the row and V the column; Navigator from htmrenamer.
    "Leica Matrix Screener": Case(
        "leica",
        tuple(
            f"experiment--test/slide--S00/chamber--U0{u}--V04/field--X08--Y0{y}/"
            f"image--L00--S00--U0{u}--V04--J20--E00--O00--X08--Y0{y}--T00--Z00--C0{c}.ome.tif"
            for u in (0, 1)
            for y in (0, 1)
            for c in (0, 1)
        ),
        ("A05/X08Y00", "A05/X08Y01", "B05/X08Y00", "B05/X08Y01"),
        ("ch00", "ch01"),
        (
            "B05/X08Y01",
            "ch01",
            "image--L00--S00--U01--V04--J20--E00--O00--X08--Y01--T00--Z00--C01.ome.tif",
        ),
    ),
    "Leica Navigator": Case(
        "leica",
        tuple(f"TileScan 2_{w}-{p}_t0_z0_ch0{c}.tif" for w in ("A1", "B1") for p in (1, 2) for c in (0, 1)),
        ("A01/1", "A01/2", "B01/1", "B01/2"),
        ("ch00", "ch01"),
        ("B01/2", "ch01", "TileScan 2_B1-2_t0_z0_ch01.tif"),
    ),
    "Leica series in folders of wells": Case(
        "leica",
        tuple(f"E01/Series00{s}_z00_ch0{c}.tif" for s in (1, 2) for c in (0, 1)),
        ("E01/1", "E01/2"),
        ("ch00", "ch01"),
        ("E01/2", "ch01", "Series002_z00_ch01.tif"),
    ),
    # NIS-Elements JOBS, and the names of its own tutorial for sequences.
    "Nikon JOBS": Case(
        "nikon",
        tuple(f"WellE0{w}_Channel{c}_Seq000{s}.tif" for w in (1, 2) for c in ("DAPI", "GFP") for s in (1, 2)),
        ("E01/1", "E01/2", "E02/1", "E02/2"),
        ("DAPI", "GFP"),
        ("E02/2", "GFP", "WellE02_ChannelGFP_Seq0002.tif"),
        {Stain.DNA: "DAPI"},
    ),
    "Nikon JOBS with a time stamp": Case(
        "nikon",
        tuple(
            f"20260728_143951_318__Well{w}_Point{w}_000{p}_ChannelDAPI_Seq000{p}.tiff"
            for w in ("A01", "A02")
            for p in (0, 1)
        ),
        ("A01/0", "A01/1", "A02/0", "A02/1"),
        ("DAPI",),
        ("A02/1", "DAPI", "20260728_143951_318__WellA02_PointA02_0001_ChannelDAPI_Seq0001.tiff"),
        {Stain.DNA: "DAPI"},
    ),
    "Nikon sequence": Case(
        "nikon",
        tuple(f"seq0000xy0{x}c{c}.tif" for x in (1, 2) for c in (1, 2)),
        ("field1/1", "field2/2"),
        ("c1", "c2"),
        ("field2/2", "c1", "seq0000xy02c1.tif"),
        told="name no wells",
    ),
    # Micro-Manager: HCS site generator of 1.4, and what its writer of single images makes since 2.0.
    "Micro-Manager HCS": Case(
        "micro-manager",
        tuple(
            f"{w}-Site_{s}/img_000000000_{c}_000.tif"
            for w in ("A1", "B2")
            for s in (0, 1)
            for c in ("DAPI", "FITC")
        ),
        ("A01/0", "A01/1", "B02/0", "B02/1"),
        ("DAPI", "FITC"),
        ("B02/1", "FITC", "B2-Site_1/img_000000000_FITC_000.tif"),
        {Stain.DNA: "DAPI", Stain.ER: "FITC"},
    ),
    "Micro-Manager": Case(
        "micro-manager",
        tuple(
            f"img_channel00{c}_position00{p}_time000000000_z00{z}.tif"
            for c in (0, 1)
            for p in (0, 1)
            for z in (0, 1)
        ),
        ("field1/1", "field2/1"),
        ("ch000", "ch001"),
        ("field2/1", "ch001", "img_channel001_position001_time000000000_z001.tif"),
        told="name no wells",
    ),
    # ZEN image exports of scenes and tiles.
    "ZEN, tiles": Case(
        "zen",
        ("A1-Image Export-01_s1m001_ORG.tif", "A1-Image Export-01_s1m002_ORG.tif"),
        ("A01/1-1", "A01/1-2"),
        ("c1",),
        ("A01/1-2", "c1", "A1-Image Export-01_s1m002_ORG.tif"),
    ),
    "ZEN, scenes": Case(
        "zen",
        tuple(f"2016-08-29-Interleave-107_s{s}c{c}_ORG.tif" for s in (15, 16) for c in (1, 2, 3)),
        ("field1/1", "field2/1"),
        ("c1", "c2", "c3"),
        ("field2/1", "c3", "2016-08-29-Interleave-107_s16c3_ORG.tif"),
        told="name no wells",
    ),
    # Incucyte: exports and the instrument's own archive (MoBIE's tests).
    "Incucyte": Case(
        "incucyte",
        tuple(f"MiaPaCa2-{c}_A2_1_03d06h40m.tif" for c in ("PhaseOriginal", "Green", "Red")),
        ("A02/1",),
        ("Green", "Red"),
        ("A02/1", "Red", "MiaPaCa2-Red_A2_1_03d06h40m.tif"),
        ignored=("Phase",),
    ),
    "Incucyte archive": Case(
        "incucyte",
        tuple(f"2207/19/{t}/262/B3-1-{c}.tif" for t in ("1110", "1410") for c in ("C1", "C2", "Ph")),
        ("B03/1",),
        ("C1", "C2"),
        ("B03/1", "C2", "1110/262/B3-1-C2.tif"),
        ignored=("Phase",),
        told="time point 1 of 2",
    ),
    # OME-TIFF plate-companion sample: the second field of C2 was left out before.
    "OME-TIFF companion": Case(
        "tiff-folder",
        (
            "well-A2.ome.tiff",
            "well-B1.ome.tiff",
            "well-B3.ome.tiff",
            "well-C2.ome.tiff",
            "well-C2-2.ome.tiff",
        ),
        ("A02/1", "B01/1", "B03/1", "C02/1", "C02/2"),
        ("channel 0",),
        ("C02/2", "channel 0", "well-C2-2.ome.tiff"),
    ),
    # Columbus sample with all planes of a field in a file (zenodo 6327496).
    "Columbus, a file a field": Case(
        "tiff-folder",
        ("tif/001001-1.tif", "tif/002001-1.tif"),
        ("A01/1", "B01/1"),
        ("channel 0",),
        ("B01/1", "channel 0", "002001-1.tif"),
    ),
    # Names that laboratories give: before, C01 and T1 were read as wells.
    "time and plane between site and channel": Case(
        "tiff-folder",
        ("A01_F0001_T0001_Z0004_C01.tif", "A01_F0001_T0001_Z0004_C02.tif"),
        ("A01/1",),
        ("C01", "C02"),
        ("A01/1", "C02", "A01_F0001_T0001_Z0004_C02.tif"),
    ),
    "row and column as numbers": Case(
        "tiff-folder",
        ("Cells_R1-C1-F1-Z1-T1.tif", "Cells_R1-C2-F1-Z1-T1.tif"),
        ("A01/1", "A02/1"),
        ("channel 0",),
        ("A02/1", "channel 0", "Cells_R1-C2-F1-Z1-T1.tif"),
    ),
    "the word well": Case(
        "tiff-folder",
        (
            "2026-04-17_SHSY5Y-CTRL-plate1-wellA01_img001.tif",
            "2026-04-17_SHSY5Y-CTRL-plate1-wellB01_img001.tif",
        ),
        ("A01/1", "B01/1"),
        ("channel 0",),
        ("B01/1", "channel 0", "2026-04-17_SHSY5Y-CTRL-plate1-wellB01_img001.tif"),
    ),
    # Bray 2017 as the gallery has it (cpg0012): the folders of stains lie in one of the plate.
    "Bray 2017, a folder above": Case(
        "bray",
        tuple(
            f"24277/24277-{s}/cdp2bioactives_a01_s1_w{i}{_GUIDS[0]}.tif"
            for i, s in enumerate(("Hoechst", "ERSyto", "ERSytoBleed", "Ph_golgi", "Mito"), start=1)
        ),
        ("A01/1",),
        ("ERSyto", "ERSytoBleed", "Hoechst", "Mito", "Ph_golgi"),
        ("A01/1", "Mito", f"cdp2bioactives_a01_s1_w5{_GUIDS[0]}.tif"),
        {
            Stain.DNA: "Hoechst",
            Stain.ER: "ERSyto",
            Stain.RNA: "ERSytoBleed",
            Stain.AGP: "Ph_golgi",
            Stain.MITO: "Mito",
        },
    ),
    # RxRx1 (rxrx.ai): the order of the channels is published with it.
    "RxRx1": Case(
        "rxrx",
        tuple(f"HUVEC-01/Plate1/B02_s1_w{w}.png" for w in range(1, 7)),
        ("B02/1",),
        ("w1", "w2", "w3", "w4", "w5"),
        ("B02/1", "w5", "B02_s1_w5.png"),
        {Stain.DNA: "w1", Stain.ER: "w2", Stain.RNA: "w4", Stain.AGP: "w3", Stain.MITO: "w5"},
        ("w6",),
    ),
    # What systems leave beside images is no image.
    "thumbnails and overviews": Case(
        "tiff-folder",
        ("P/Thumbs.db", "P/.DS_Store", "P/._B02_s1_DAPI.tif", "P/overview.png", "P/B02_s1_DAPI.tif"),
        ("B02/1",),
        ("DAPI",),
        ("B02/1", "DAPI", "P/B02_s1_DAPI.tif"),
        {Stain.DNA: "DAPI"},
    ),
}


def _write(root: Path, files: tuple[str, ...]) -> dict[str, int]:
    """Write images that are told apart by their first pixel, which grows from file to file."""
    values = {}
    for number, name in enumerate(files, start=1):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values[name] = 100 * number
        if path.name.startswith(".") or path.suffix.lower() not in (".tif", ".tiff", ".png"):
            path.write_bytes(b"no image")
        elif path.suffix.lower() == ".png":
            pytest.importorskip("imageio.v3").imwrite(path, image(values[name]))
        else:
            tifffile.imwrite(path, image(values[name]))
    return values


@pytest.mark.parametrize("name", CASES)
def test_a_folder_named_as_the_instrument_does_opens_right(name, tmp_path):
    case, root = CASES[name], tmp_path / "my-plate"
    values = _write(root, case.files)
    assert detect_layout(root) == case.layout
    plate = open_plate(root)
    assert plate.layout == case.layout
    assert tuple(site.id.partition("/")[2] for site in plate.sites) == case.sites
    mapping = plate.stains
    assert tuple(sorted({*mapping.channels.values(), *mapping.unmapped})) == tuple(sorted(case.channels))
    assert mapping.channels == case.stains
    assert tuple(mapping.ignored) == case.ignored
    said = " ".join([*(p.what + p.subject for p in plate.problems), *(p.reason for p in mapping.proposals)])
    assert case.told in said
    site, channel, file = case.read
    shown = open_plate(root, channels={"Mito": channel})
    (found,) = [s for s in shown.sites if s.id.endswith(f"/{site}")]
    value = next(value for path, value in values.items() if path.endswith(file))
    np.testing.assert_array_equal(found.read(["Mito"])[0], image(value))


def test_every_layout_of_names_is_tried_with_real_ones():
    """Layouts that read nothing but names stand and fall with them."""
    assert {layout for layout in LAYOUTS if f"named.{layout.replace('-', '')}" in _modules()} <= {
        case.layout for case in CASES.values()
    }


def _modules() -> set[str]:
    modules = (cellomics, columbus, cq1, evos, incucyte, leica, micromanager, nikon, scanr, zen)
    return {module.__name__.partition("layouts.")[2] for module in modules}


def test_wells_of_a_cq1_come_from_its_ome_xml(tmp_path):
    _write(tmp_path / "Image", ("W0262F0001T0001Z001C1.tif", "W0001F0001T0001Z001C1.tif"))
    names = '<Image Name="W262(R11C22),A1,F1"/><Image Name="W1(R1C1),A1,F1"/>'
    (tmp_path / "MeasurementResult.ome.xml").write_text(f"<OME>{names}</OME>")
    for opened in (tmp_path, tmp_path / "Image"):
        assert [s.id.partition("/")[2] for s in open_plate(opened).sites] == ["A01/1", "K22/1"]


def test_jobs_that_write_all_channels_into_a_file(tmp_path):
    pages = np.stack([image(100), image(200), image(300)])
    for point in (0, 1):
        name = f"WellA01_PointA01_000{point}_ChannelDAPI,GFP,TRITC_Seq000{point}.tif"
        tifffile.imwrite(tmp_path / name, pages + 1000 * point, photometric="minisblack")
    plate = open_plate(tmp_path, channels={"AGP": "TRITC"})
    assert plate.stains.channels == {Stain.DNA: "DAPI", Stain.AGP: "TRITC"}
    np.testing.assert_array_equal(plate.sites[1].read(["AGP"])[0], image(1300))
    assert any("DAPI, GFP, TRITC" in p.what for p in plate.problems)


def test_a_folder_above_the_plate_with_an_htd_file_opens(tmp_path):
    _write(tmp_path / "P10", ("Act1_Plate10-SP-A8_A01_s1_w1.TIF", "Act1_Plate10-SP-A8_A01_s1_w2.TIF"))
    lines = [
        '"HTSInfoFile", Version 1.0',
        '"XWells", 24',
        '"YWells", 16',
        '"Waves", TRUE',
        '"NWavelengths", 2',
    ]
    lines += ['"WaveName1", "DAPI"', '"WaveName2", "Cy5"', '"EndFile"']
    (tmp_path / "P10/Act1_Plate10-SP-A8.HTD").write_text("\r\n".join(lines))
    plate = open_plate(tmp_path)
    assert (plate.layout, plate.shape) == ("metaxpress", (16, 24))
    assert plate.stains.channels == {Stain.DNA: "w1", Stain.MITO: "w2"}


@pytest.mark.parametrize(
    "name",
    [
        "Plate000_WellB02_ChannelDAPI,CY5,CY3_Seq0000.nd2",
        "MFGTMP_220317120003_A01f00d0.C01",
        "AS_09125_050118150001_A03f00d0.DIB",
        "flex/001001.flex",
        "plate1.czi",
        "exp.lif",
        "BBBC013_v1_images_bmp/Channel1-01-A-01.BMP",
    ],
)
def test_formats_that_are_not_read_are_named_with_the_way_out(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    for opened in (tmp_path, path):
        with pytest.raises(PlateError, match=r"are not read: export the plate as TIFF.*OME-Zarr") as refused:
            open_plate(opened)
        assert path.name in str(refused.value)
    assert detect_layout(tmp_path) is None


@given(st.text(max_size=80))
def test_no_other_name_misleads(text):
    for module in (cellomics, columbus, evos, incucyte, leica, micromanager, nikon, scanr, zen):
        found = module.read_name(text)
        assert found is None or found.channels
    assert cq1.read_name({}, text) is None or text.upper().find("W") >= 0
