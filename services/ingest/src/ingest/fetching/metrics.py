"""What is counted of fetching."""

from leadbus import metrics

from ingest.fetching.ending import CODES, ENDED

ATTEMPTS = metrics.counter(
    "leadbus_virtualexpo_attempts_total",
    "Attempts to fetch a subscription, by what they came to and why.",
    labels={"outcome": ENDED, "code": CODES},
)
SUCCESS_AGE = metrics.gauge(
    "leadbus_virtualexpo_success_age_seconds",
    "Since a subscription was last fetched whole, or was set up; 0 for one that is off or gone.",
    labels={"subscription": metrics.configured("names of VirtualExpoSubscription settings", 100)},
)
