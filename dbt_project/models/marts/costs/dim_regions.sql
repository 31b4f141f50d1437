{{ billed_dimension('region_id', ['region_name']) }}
