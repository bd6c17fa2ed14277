"""The MLflow door: MLflow's REST protocol, answered from the record. What it means stands in the services and the store."""
