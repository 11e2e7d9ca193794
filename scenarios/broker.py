"""The broker's side of a scenario: stations, processes, clearing, compliance, churn, cost."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenarios.units import (
    Capacity,
    Count,
    Duration,
    Fraction,
    Money,
    Number,
    PerDay,
    PositiveDuration,
    PositiveRate,
    Staff,
    TimeOfDay,
    UnitError,
    duration,
    money,
    per_day,
    rate,
    time_of_day,
)


class Section(BaseModel):
    """Base of all sections: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=False)


class Network(Section):
    """Between the client's phone and the broker's gateway."""

    delay: Duration = Field(duration("30 ms"), description="Mean one-way delay (assumed).")
    cv: Number = Field(0.5, description="Coefficient of variation of the delay (assumed).")


class Gateway(Section):
    """Access gateway; its flow control defers, it does not refuse."""

    flow_control: Capacity = Field(rate("20000/s"), description="Messages let in per second (assumed; row 101).")
    service_time: Duration = Field(duration("1 ms"), description="Mean time of a message (assumed).")


class Station(Section):
    """A station of finite capacity: capacity x service time is the number of messages it works on at once."""

    capacity: Capacity = Field(rate("20000/s"), description="Messages per second at full load (assumed).")
    service_time: PositiveDuration = Field(
        duration("2 ms"), description="Mean time of a message without waiting (assumed)."
    )


class Authentication(Station):
    """Log-in: password, device, one-time code."""

    capacity: Capacity = Field(
        rate("1500/s"), description="Log-ins per second: 3 x the ordinary peak (rows 28-30 and 101)."
    )
    service_time: PositiveDuration = Field(duration("150 ms"), description="Mean time of a log-in (assumed).")


class Checks(Station):
    """Pre-trade checks: cash, holdings, price limit, lot, permission (I62)."""

    capacity: Capacity = Field(rate("20000/s"), description="Orders checked per second (assumed; row 101).")
    service_time: PositiveDuration = Field(duration("1 ms"), description="Mean time of the checks (row 76).")


class Suitability(Station):
    """Suitability service, asked by the pre-trade checks for orders that need a permission."""

    capacity: Capacity = Field(rate("6000/s"), description="Questions per second at full load (assumed).")
    service_time: PositiveDuration = Field(
        duration("5 ms"), description="Mean time of an answer (assumed; row 67 for people)."
    )
    budget: Duration = Field(duration("200 ms"), description="How long an order waits for the answer (assumed).")
    on_timeout: Literal["pass", "refuse"] = Field(
        "pass", description="What happens to the order without an answer: compliance or experience suffers (assumed)."
    )


class Core(Station):
    """Core counter: the account system every order goes through."""

    capacity: Capacity = Field(rate("8000/s"), description="Orders per second (row 97, as-is).")
    service_time: PositiveDuration = Field(
        duration("20 ms"), description="Mean time of an order without waiting (row 95, ordinary)."
    )


class ExchangeGateway(Section):
    """Gateways of the exchanges; what exceeds a slot of one second waits for the next one (I10)."""

    per_exchange: Annotated[Count, Field(ge=1)] = Field(5, description="Gateways to each exchange (assumed).")
    rate: PositiveRate = Field(rate("1000/s"), description="Messages per second of one gateway (row 98).")


class ExchangeSide(Section):
    """The exchange as the broker sees it."""

    latency: Duration = Field(duration("1.1 ms"), description="From gateway to acknowledgement (row 100).")


class Report(Station):
    """Execution reports on their way back to the client."""


class OrderPath(Section):
    """Stations of an order inside the broker, in the order in which it meets them."""

    network: Network = Field(Network(), description="From the phone to the gateway.")
    gateway: Gateway = Field(Gateway(), description="Access gateway.")
    authentication: Authentication = Field(Authentication(), description="Log-in.")
    checks: Checks = Field(Checks(), description="Pre-trade checks.")
    suitability: Suitability = Field(Suitability(), description="Suitability service.")
    core: Core = Field(Core(), description="Core counter.")
    exchange_gateway: ExchangeGateway = Field(ExchangeGateway(), description="Gateways of the exchanges.")
    exchange: ExchangeSide = Field(ExchangeSide(), description="The exchange.")
    report: Report = Field(Report(), description="Execution reports.")


class Onboarding(Section):
    """Account opening: a process graph fed by applications."""

    process: str = Field("account-opening", description="Process graph, a file of scenarios/processes.")
    applications: PerDay = Field(per_day("2200/day"), description="Applications of an ordinary day (row 49).")
    surge: Number = Field(1.0, description="Applications relative to an ordinary day; the world's doing (row 50).")
    staff: dict[str, Staff] = Field(
        {}, description='People per resource pool where the graph is changed: n or "unlimited".'
    )


class ServiceDesk(Section):
    """The desk that answers calls: a process graph fed by clients in trouble."""

    process: str = Field("service-desk", description="Process graph, a file of scenarios/processes.")
    staff: dict[str, Staff] = Field(
        {}, description='People per resource pool where the graph is changed: n or "unlimited".'
    )


class Shift(Section):
    """Working hours of one day."""

    start: TimeOfDay = Field(time_of_day("15:30"), description="Begin (assumed).")
    end: TimeOfDay = Field(time_of_day("23:30"), description="End (assumed).")

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise UnitError("the shift ends before it begins", "Give an end later than the start.")
        return self


class Clearing(Section):
    """The end-of-day batch: records, breaks and the people who mend them."""

    commission: Fraction = Field(0.00023, description="Of the traded value of an order (row 19).")
    commission_min: Money = Field(money("5 CNY"), description="Least commission of an order that traded (row 20).")
    start: TimeOfDay = Field(time_of_day("16:30"), description="Begin of the broker's own batch (row 108).")
    files_at: TimeOfDay = Field(time_of_day("18:00"), description="Clearing house's files arrive (row 109).")
    target_end: TimeOfDay = Field(time_of_day("22:00"), description="When it should be done (row 108).")
    deadline: TimeOfDay = Field(time_of_day("08:00"), description="On the next trading day (row 108).")
    batch_rate: PositiveRate = Field(rate("3000/s"), description="Records per second (row 110).")
    break_rate: Fraction = Field(2e-5, description="Breaks per record (row 111).")
    mend_time: Duration = Field(duration("10 min"), description="Mean time to mend a break by hand (row 112).")
    staff: Staff = Field(12, description="People who mend breaks; a quarter of them at night (assumed).")
    shift: Shift = Field(Shift(), description="Their working hours.")


class Compliance(Section):
    """Rules that the broker watches."""

    lowest_class_share: Fraction = Field(0.01, description="Clients of the lowest class, who may not insist (row 62).")


class Churn(Section):
    """Hazard of leaving, per month, and what raises it."""

    hazard_new: Number = Field(0.18, description="Clients of the first three months (row 89).")
    hazard_mature: Number = Field(0.0165, description="Other clients (row 90).")
    hazard_hnw: Number = Field(0.005, description="High-net-worth clients (row 90).")
    ratio_outage: Number = Field(1.5, description="Hazard ratio after 30 min without service (row 91).")
    ratio_complaint: Number = Field(2.0, description="Hazard ratio after an unresolved complaint (row 92).")


class Costs(Section):
    """What the broker pays; all assumed."""

    staff_hour: Money = Field(money("120 CNY"), description="An hour of a person, all included (assumed).")
    core_per_1000: Money = Field(money("20000 CNY"), description="A day of 1,000 orders/s of core capacity (assumed).")
    gateway_day: Money = Field(money("1000 CNY"), description="A day of one exchange gateway (assumed).")
    account_acquisition: Money = Field(money("300 CNY"), description="Winning one applicant (assumed).")
