"""Open orders that ask for maintenance: a term of its own, there without a position too, moved by no mark."""

from perpsim.core import EventKind, Kind, Reject, Rule
from test_regressions import ONE, Desk


def waiting_orders() -> Desk:
    """300 and 100 of orders at 10x: 40 of the 41 are held, 2 are asked as maintenance."""
    desk = Desk(rich=0, market={"order_maintenance": 1, "taker_fee": 0, "maker_fee": 0})
    desk.deposit(0, 41)
    assert desk.buy(0, 200, 990) == Reject.NONE
    assert desk.sell(0, 150, 1_010) == Reject.NONE
    return desk


def test_orders_are_maintenance_at_their_own_prices():
    desk = waiting_orders()
    assert desk.engine.accounts()["cross_maintenance"][0] == (198 + 151.5) * ONE // 200
    desk.mark(1_005)
    assert desk.engine.accounts()["cross_maintenance"][0] == (198 + 151.5) * ONE // 200


def loser(rule: int) -> Desk:
    """21 of money, 100 lots long with 19.5 lost, and orders of 396 that ask for 1.98 where the rulebook says so."""
    desk = Desk(rich=0, market={"order_maintenance": rule, "taker_fee": 0, "maker_fee": 0, "max_orders": 40})
    desk.do(Kind.DEPOSIT, account=0, value=21 * ONE)
    desk.do(Kind.SET_LEVERAGE, account=0, value=25)
    desk.seed(0, 100)
    for lots in (100, 100, 100, 100):
        assert desk.buy(0, lots, 990) == Reject.NONE
    desk.mark(805)
    return desk


def test_orders_go_and_the_liquidation_is_over():
    desk = loser(rule=1)
    kinds = desk.events["kind"].tolist()
    started, ended = kinds.index(EventKind.LIQUIDATION_STARTED), kinds.index(EventKind.LIQUIDATION_ENDED)
    assert kinds[started + 1 : ended] == [EventKind.CANCELLED] * 4
    assert desk.lots(0) == 100


def test_without_the_rule_the_same_account_is_safe():
    assert not len(loser(rule=0).of(EventKind.LIQUIDATION_STARTED))


def test_a_rule_that_comes_into_force_is_felt_at_the_next_mark():
    desk = loser(rule=0)
    desk.do(Kind.SET_RULE, market=0, aux=Rule.ORDER_MAINTENANCE, value=1)
    desk.mark(805)
    assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 1


def test_an_account_with_nothing_but_orders_is_found():
    """No position where the orders are; a loss in another market leaves less than they ask for."""
    desk = Desk(markets=2, rich=0, market={"order_maintenance": 1, "taker_fee": 0, "maker_fee": 0})
    desk.deposit(0, 10)
    desk.do(Kind.SET_LEVERAGE, account=0, market=0, value=50)
    assert desk.buy(0, 400, 1_000) == Reject.NONE
    desk.seed(0, 50, market=1)
    desk.mark(820, market=1)
    assert desk.engine.accounts()["cross_equity"][0] == ONE
    assert desk.events["kind"].tolist().count(EventKind.CANCELLED) == 1
    assert desk.lots(0, market=1) == 50
