"""Writes what mirp, a program of others, finds of odd regions: `pip install mirp==2.7.0`, then this file, in some minutes.

The tests compare with its values. It is not installed with them, for it needs 1.5 GB of other packages.
"""

import json
from pathlib import Path

from odd_regions import REGIONS
from scripts.development.radiomics_speed import by_mirp
from scripts.measurement.radiomics.run_length import RUN_LENGTH
from scripts.measurement.radiomics.size_zone import SIZE_ZONE

SEEDS = range(20)
MIRP = {
    "first_order": {
        "mean": "stat_mean", "variance": "stat_var", "skewness": "stat_skew", "kurtosis": "stat_kurt", "median": "stat_median",
        "minimum": "stat_min", "percentile_10": "stat_p10", "percentile_90": "stat_p90", "maximum": "stat_max",
        "interquartile_range": "stat_iqr", "range": "stat_range", "mean_absolute_deviation": "stat_mad",
        "robust_mean_absolute_deviation": "stat_rmad", "energy": "stat_energy", "root_mean_square": "stat_rms",
        "entropy": "ih_entropy", "uniformity": "ih_uniformity",
    },
    "co_occurrence": {
        "autocorrelation": "cm_auto_corr", "joint_average": "cm_joint_avg", "cluster_prominence": "cm_clust_prom",
        "cluster_shade": "cm_clust_shade", "cluster_tendency": "cm_clust_tend", "contrast": "cm_contrast",
        "correlation": "cm_corr",
        "difference_average": "cm_diff_avg", "difference_entropy": "cm_diff_entr", "difference_variance": "cm_diff_var",
        "joint_energy": "cm_energy", "joint_entropy": "cm_joint_entr", "information_correlation_1": "cm_info_corr1",
        "information_correlation_2": "cm_info_corr2", "inverse_difference": "cm_inv_diff",
        "inverse_difference_normalised": "cm_inv_diff_norm", "inverse_difference_moment": "cm_inv_diff_mom",
        "inverse_difference_moment_normalised": "cm_inv_diff_mom_norm", "inverse_variance": "cm_inv_var",
        "joint_maximum": "cm_joint_max", "sum_average": "cm_sum_avg", "sum_entropy": "cm_sum_entr",
        "joint_variance": "cm_joint_var",
    },
    "run_length": dict(zip((feature.name for feature in RUN_LENGTH), (
        "rlm_sre", "rlm_lre", "rlm_lgre", "rlm_hgre", "rlm_srlge", "rlm_srhge", "rlm_lrlge", "rlm_lrhge", "rlm_glnu",
        "rlm_glnu_norm", "rlm_rlnu", "rlm_rlnu_norm", "rlm_r_perc", "rlm_gl_var", "rlm_rl_var", "rlm_rl_entr",
    ), strict=True)),
    "size_zone": dict(zip((feature.name for feature in SIZE_ZONE), (
        "szm_sze", "szm_lze", "szm_lgze", "szm_hgze", "szm_szlge", "szm_szhge", "szm_lzlge", "szm_lzhge", "szm_glnu",
        "szm_glnu_norm", "szm_zsnu", "szm_zsnu_norm", "szm_z_perc", "szm_gl_var", "szm_zs_var", "szm_zs_entr",
    ), strict=True)),
    "tone_difference": {
        name: f"ngt_{name}" for name in ("coarseness", "contrast", "busyness", "complexity", "strength")
    },
    "shape": {
        "maximum_diameter": "morph_diam", "major_axis_length": "morph_pca_maj_axis", "minor_axis_length": "morph_pca_min_axis",
        "elongation": "morph_pca_elongation",
    },
}  # fmt: skip
"""What mirp calls them. It has no total energy and no maximal correlation, and measures a slice's form in three dimensions."""


def measure(kind: str, seed: int) -> dict[str, float]:
    """By family and feature, as the bundle calls them."""
    families = ("statistics", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm", "morphological")
    table = by_mirp(*REGIONS[kind](seed), families)
    found = {}
    for family, names in MIRP.items():
        for name, their_name in names.items():
            starts = tuple(f"{their_name}_{end}" for end in ("d1_", "2d", "fbn"))
            (column,) = (one for one in table.columns if one == their_name or one.startswith(starts))
            found[f"{family}.{name}"] = float(f"{float(table.iloc[0][column]):.9g}")
    return found


if __name__ == "__main__":
    values = {f"{kind} {seed}": measure(kind, seed) for kind in REGIONS for seed in SEEDS}
    page = Path(__file__).parents[1] / "measurement" / "radiomics_by_mirp.json"
    page.write_text(json.dumps(values, indent=0) + "\n", encoding="utf-8")
