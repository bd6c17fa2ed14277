{{ config(materialized="external", location="clean.parquet") }}
select distance, late from {{ source("lake", "raw") }} where distance is not null
