"""A small memory for the first start, so that the first question has an answer."""

from __future__ import annotations

from pronoia.services.drafts import Draft

USER = "demo"

SAMPLE = (
    Draft("Mira prefers short answers with the command first and the reason after it.", tags=("preference",)),
    Draft("The staging database is restored from last night's backup every Monday at 06:00.", tags=("operations",)),
    Draft("We chose PostgreSQL over a document store because invoices need transactions.", tags=("decision",)),
    Draft("Deploys are frozen from the 20th of December until the 3rd of January.", tags=("operations",)),
    Draft("The invoice service rounds half to even; the tax office asked for it in March.", tags=("decision",)),
    Draft("Jonas is allergic to peanuts, so the team lunch goes to the Lebanese place.", tags=("people",)),
    Draft("The flaky checkout test waits for a payment webhook that arrives twice.", tags=("bug",)),
    Draft("Fixed the double webhook by keeping the event id for a day and ignoring repeats.", tags=("bug", "fix")),
    Draft("Mira is on parental leave from June; Tomasz reviews the billing changes until then.", tags=("people",)),
    Draft("Customers in Norway see prices with 25 percent tax included.", tags=("fact",)),
    Draft("The nightly report failed because the disk of the export host was full.", tags=("operations", "bug")),
    Draft("Use feature flags for anything that touches checkout, and remove them within a month.", tags=("decision",)),
)
