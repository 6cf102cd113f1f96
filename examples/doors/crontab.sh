#!/bin/sh
# Has cron run the shop's tasks. Run it again whenever something about it changes; nothing else in the crontab does.
set -e
cd "$(dirname "$0")"
timewright crontab install --app shop:schedule --name shop "$@"
timewright crontab show
