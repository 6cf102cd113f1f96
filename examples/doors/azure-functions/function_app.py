"""An Azure Functions application whose timer runs the shop's schedule every minute."""

import azure.functions as func

from timewright.triggers.azure_functions import register

app = func.FunctionApp()
register(app, "shop:schedule", timeout_seconds=300)
