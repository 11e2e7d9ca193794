"""Escalation and deadlines happen to the nanosecond, on hand-made cases without luck."""

from __future__ import annotations

import datetime as dt

import pytest
from broker_house import certain, moment, run_cases, staffed

from scenarios.offices import process_model
from twin.clock import MINUTE
from twin.contracts import OutcomeKind

FIRST = dt.date(2026, 9, 7)
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (FIRST + dt.timedelta(days=d) for d in range(5))
NEXT_MONDAY = FIRST + dt.timedelta(days=7)


def ends(model, *starts):
    return run_cases(model, [moment(day, FIRST, time) for day, time in starts], FIRST)[0].tolist()


def at_times(*times):
    return [moment(day, FIRST, time) for day, time in times]


REQUEST = "reformed/cross-department-request"


def test_a_request_in_parallel_takes_its_longest_branch():
    """Intake 15, product 40 (the longest), final check 10, reply 15; the noon break stops the clock."""
    model = certain(process_model(REQUEST))
    assert ends(model, (MONDAY, "09:00")) == at_times((MONDAY, "10:20"))
    assert ends(model, (MONDAY, "11:00")) == at_times((MONDAY, "13:50"))
    assert ends(model, (FRIDAY, "17:10")) == at_times((NEXT_MONDAY, "09:30"))


def test_a_request_in_series_takes_three_working_days():
    model = certain(process_model("today/cross-department-request"))
    # intake and account on Monday, product on Tuesday 8:30-9:10, compliance on Wednesday 8:30-9:00, reply on Thursday
    assert ends(model, (MONDAY, "09:00")) == at_times((THURSDAY, "08:45"))
    assert ends(model, (FRIDAY, "09:00")) == at_times((FIRST + dt.timedelta(days=9), "08:45"))


def test_the_duty_lead_takes_over_after_exactly_four_working_hours():
    """Nobody in asset management: dispatched 09:15, 2 h 15 until noon, 1 h 45 after 13:00, so at 14:45; lead 40 min."""
    model = staffed(certain(process_model(REQUEST)), "asset_management", 0)
    assert ends(model, (MONDAY, "09:00")) == at_times((MONDAY, "15:50"))
    # Friday 16:50: dispatched 17:05; 25 min on Friday, 3 h to noon on Monday, 35 min more: 13:35
    assert ends(model, (FRIDAY, "16:50")) == at_times((NEXT_MONDAY, "14:40"))


def test_a_part_that_is_done_within_its_time_is_not_escalated():
    """Without duty leads every case in which the timer fired would hang."""
    model = staffed(certain(process_model(REQUEST)), "duty_leads", 0)
    assert ends(model, (MONDAY, "09:00")) == at_times((MONDAY, "10:20"))
    nobody = staffed(model, "asset_management", 0)
    assert ends(nobody, (MONDAY, "09:00")) == [-1]


def test_a_complaint_is_talked_over_by_a_lead_after_a_working_day():
    """Register 10 min; nobody in the departments: 7.5 h later the lead talks 20 min; the decision waits for ever."""
    values = {"channel": "ticket", "fault": "no"}
    model = certain(process_model("reformed/complaint"), values, reply="settled")
    assert ends(model, (MONDAY, "09:00")) == at_times((MONDAY, "09:55"))
    free = model.nodes["decide"].model_copy(update={"pool": "leads"})
    model = staffed(model.model_copy(update={"nodes": model.nodes | {"decide": free}}), "departments", 0)
    # talk begins to wait at 09:10; 7.5 working hours end on Tuesday 09:10; talk 20, decide 15, reply 10
    assert ends(model, (MONDAY, "09:00")) == at_times((TUESDAY, "09:55"))


@pytest.mark.parametrize("form", ["today", "reformed"])
def test_who_pays_in_time_keeps_his_shares_and_who_does_not_is_sold_after_eight_hours_of_trading(form):
    """Called on Monday after the close: cash 4 h of trading later is Tuesday 15:00; the deadline is Wednesday 15:00."""
    model = process_model(f"{form}/margin-call")
    told = {"willing": "yes", "limit_down": "no"}
    assert ends(certain(model, told), (MONDAY, "17:00")) == at_times((TUESDAY, "15:00"))
    sell = 12 * MINUTE if form == "today" else MINUTE
    opens = moment(THURSDAY, FIRST, "09:30")
    unwilling = certain(model, told | {"willing": "no"})
    assert ends(unwilling, (MONDAY, "17:00")) == [opens + sell]
    # the deadline runs from the close, over the weekend and the National Day holiday in trading hours only
    assert ends(unwilling, (FRIDAY, "18:00")) == [moment(FIRST + dt.timedelta(days=9), FIRST, "09:30") + sell]
    eve = dt.date(2026, 9, 30)
    assert ends(unwilling, (eve, "18:00")) == [moment(dt.date(2026, 10, 12), FIRST, "09:30") + sell]


@pytest.mark.parametrize("form", ["today", "reformed"])
def test_shares_at_their_limit_are_sold_the_day_after(form):
    sell = 12 * MINUTE if form == "today" else MINUTE
    model = certain(process_model(f"{form}/margin-call"), {"willing": "no", "limit_down": "yes"})
    assert ends(model, (MONDAY, "17:00")) == [moment(FRIDAY, FIRST, "09:30") + sell]


def test_a_client_told_late_loses_the_time_that_the_call_took():
    """Power: nobody at the desk until the deadline, and a willing client is sold out all the same."""
    model = certain(process_model("today/margin-call"), {"willing": "yes", "limit_down": "no"})
    end, outcome = run_cases(staffed(model, "margin_desk", 0), [moment(MONDAY, FIRST, "17:00")], FIRST)
    assert end.tolist() == [moment(THURSDAY, FIRST, "09:42")]
    assert outcome.tolist() == [OutcomeKind.SERVED]


def test_a_report_waits_for_the_signing_hour_only_today():
    """Today 3 h of extracts, 3 h of typing, 45 min of checking; then four o'clock."""
    quiet = {"data_flaw": "no"}
    model = certain(process_model("today/compliance-report"), quiet, found="signing_hour")
    # 08:30-11:30 extracts, 13:00-16:00 typing, 16:00-16:45 check, signed 16:45-16:55
    assert ends(model, (MONDAY, "08:30")) == at_times((MONDAY, "16:55"))
    # an hour later the check ends on Tuesday 09:15, and the head signs at 16:00
    assert ends(model, (MONDAY, "09:30")) == at_times((TUESDAY, "16:10"))
    new = certain(process_model("reformed/compliance-report"), quiet, found="sign")
    # 5 min extracts at once, 5 min draft, 45 min check, 10 min signature
    assert ends(new, (MONDAY, "09:30")) == at_times((MONDAY, "10:35"))


SUITABILITY = [
    ("C3", "R3", "no", OutcomeKind.SERVED, "bought"),
    ("C3", "R4", "no", OutcomeKind.SERVED, "bought"),
    ("lowest", "R1", "no", OutcomeKind.SERVED, "bought"),
    ("lowest", "R2", "no", OutcomeKind.REFUSED, "forbidden"),
    ("C1", "R2", "no", OutcomeKind.SERVED, "bought"),
    ("lowest", "R5", "yes", OutcomeKind.SERVED, "bought"),
]


@pytest.mark.parametrize(("client", "product", "professional", "outcome", "end"), SUITABILITY)
def test_suitability_has_three_outcomes(client, product, professional, outcome, end):
    """Allowed; above the class: sold to who insists, lost if he gives way; forbidden for the lowest class."""
    values = {"client_class": client, "product_risk": product, "professional": professional, "private_fund": "no"}
    model = process_model("reformed/product-purchase")
    when = [moment(MONDAY, FIRST, "10:00")]
    assert run_cases(certain(model, values), when, FIRST)[1].tolist() == [outcome]
    above = int(product[1]) > (int(client[1]) if client != "lowest" else 1) and client != "lowest"
    gives_way = certain(model, values, warning_in_app="gave_way")
    expected = OutcomeKind.ABANDONED if above and professional == "no" else outcome
    assert run_cases(gives_way, when, FIRST)[1].tolist() == [expected]
