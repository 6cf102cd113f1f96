"""An auditor of what a cluster's schedules did. It shares no code with the product.

It takes a cron library's word for when tasks are due, the tasks' own traces and the Jobs for what was started, and
judges by them what TaskRuns and statuses claim.
"""
