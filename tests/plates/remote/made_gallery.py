"""The Cell Painting Gallery's real layout, filled with a simulated plate, in a stand-in for S3."""

from __future__ import annotations

import io
from pathlib import Path

import boto3
import numpy as np
import pandas as pd

from napari_cellclip.plates import open_plate

BUCKET = "cellpainting-gallery"
PROJECT, SOURCE, BATCH, PLATE = "cpg0000-jump-pilot", "source_4", "2020_11_04_CPJUMP1", "BR00123947"
MOUNT = "/home/ubuntu/bucket/"
FULL_NAME = f"{PLATE}__2020-11-05T19_51_35-Measurement1"


class MadeGallery:
    """A bucket with the plate of a local folder; keys and tables are as the gallery documents them.

    Parameters
    ----------
    endpoint : str
        Of the stand-in, past the server that fails.
    folder : Path
        Plate as a Phenix exports it.
    jump : Path
        Folder for tables of the JUMP consortium.
    """

    def __init__(self, endpoint: str, folder: Path, jump: Path) -> None:
        self.folder = folder
        self.jump = jump
        self.plate = open_plate(folder)
        self.client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        self.empty()

    def empty(self) -> None:
        names = [b["Name"] for b in self.client.list_buckets()["Buckets"]]
        if BUCKET not in names:
            self.client.create_bucket(Bucket=BUCKET)
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for entry in page.get("Contents", ()):
                self.client.delete_object(Bucket=BUCKET, Key=entry["Key"])

    def put(self, key: str, content: bytes | str) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")

    def keys(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return [entry["Key"] for entry in found]

    @property
    def images(self) -> str:
        """Prefix of the plate's images."""
        return f"{PROJECT}/{SOURCE}/images/{BATCH}/images/{FULL_NAME}/Images"

    def load_data(self, prefix: str = MOUNT, *, illum: bool = False) -> pd.DataFrame:
        """The table that CellProfiler reads, with paths of the computer that wrote it."""
        rows = []
        for site in self.plate.sites:
            row = {
                "Metadata_Source": SOURCE,
                "Metadata_Batch": BATCH,
                "Metadata_Plate": PLATE,
                "Metadata_Well": site.well,
                "Metadata_Site": str(site.number),
            }
            for stain, file in zip(site.stains, site.files, strict=True):
                row[f"FileName_Orig{stain}"] = file.name
                row[f"PathName_Orig{stain}"] = f"{prefix}{self.images}/"
                if illum:
                    row[f"FileName_Illum{stain}"] = f"{PLATE}_Illum{stain}.npy"
                    row[f"PathName_Illum{stain}"] = f"{prefix}{PROJECT}/{SOURCE}/images/{BATCH}/illum/{PLATE}"
            rows.append(row)
        return pd.DataFrame(rows)

    def fill(self) -> None:
        """Put images, illumination functions, the table, and the plate map with its compounds."""
        for file in sorted((self.folder / "Images").iterdir()):
            self.put(f"{self.images}/{file.name}", file.read_bytes())
        for stain in self.plate.stains.channels:
            content = io.BytesIO()
            np.save(content, np.full((64, 64), 1.5))
            self.put(
                f"{PROJECT}/{SOURCE}/images/{BATCH}/illum/{PLATE}/{PLATE}_Illum{stain}.npy",
                content.getvalue(),
            )
        workspace = f"{PROJECT}/{SOURCE}/workspace"
        table = self.load_data(illum=True)
        self.put(
            f"{workspace}/load_data_csv/{BATCH}/{PLATE}/load_data_with_illum.csv", table.to_csv(index=False)
        )
        platemaps = f"{workspace}/metadata/platemaps/{BATCH}"
        self.put(
            f"{platemaps}/barcode_platemap.csv",
            f"Assay_Plate_Barcode,Plate_Map_Name\n{PLATE},JUMP-Target-1\n",
        )
        wells = [well.name for well in self.plate.wells]
        samples = ["BRD-K1", "", "BRD-K2", "BRD-K3", "BRD-K1", ""]
        lines = "".join(f"JUMP-Target-1\t{w}\t{s}\tDMSO\n" for w, s in zip(wells, samples, strict=True))
        self.put(
            f"{platemaps}/platemap/JUMP-Target-1.txt",
            "plate_map_name\twell_position\tbroad_sample\tsolvent\n" + lines,
        )
        self.put(
            f"{workspace}/metadata/external_metadata/JUMP-Target-1_compound_metadata.tsv",
            "broad_sample\tpert_iname\ttarget_list\tpert_type\tcontrol_type\tsmiles\n"
            "BRD-K1\tnocodazole\tTUBB\ttrt\t\tCOC(=O)Nc1nc2ccc(cc2[nH]1)C(=O)c1cccs1\n"
            "BRD-K2\tAMG900\tAURKA|AURKB\tcontrol\tposcon\tCc1cc(-c2ccccc2)ccn1\n"
            "BRD-K3\tFK-866\tNAMPT\ttrt\t\tO=C(C=Cc1cccnc1)NCCCCC1CCN(CC1)C(=O)c1ccccc1\n"
            "\tDMSO\t\tcontrol\tnegcon\tCS(C)=O\n",
        )
        self.put(f"{workspace}/metadata/external_metadata/other.tsv", "broad_sample\tnote\nBRD-X\tnothing\n")
