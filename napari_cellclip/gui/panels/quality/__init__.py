"""The QC tab: problems of images, sites that stand out in quality, batch correction."""
