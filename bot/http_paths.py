"""The paths of the bot's HTTP endpoints. The proxy examples and the Dockerfile repeat them."""

HEALTH_PATH = "/healthz"
READY_PATH = "/readyz"
METRICS_PATH = "/metrics"
TELEGRAM_WEBHOOK_PATH = "/telegram/webhook"

#: Kie calls back at this path, followed by the reference of the order.
KIE_CALLBACK_PATH = "/kie/callback/"

#: Proves whose endpoint it is, next to the URLs that Kie calls; the webhook's path does so as well.
OWNERSHIP_PROOF_PATH = f"{KIE_CALLBACK_PATH}proof"
