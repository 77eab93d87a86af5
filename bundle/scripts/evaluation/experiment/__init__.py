"""The comparison of classifiers of osteoporosis: by covariates, radiomics and deep features, on the same patients."""
