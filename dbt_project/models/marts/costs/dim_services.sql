{{ billed_dimension('service_name', ['service_category', 'service_subcategory']) }}
