"""Says what the words on the page mean, where they appear."""

from typing import Final

BOX: Final = (
    "The box holds the middle half, the line in it is the median, the whiskers reach from 5 to "
    "95 %; what lies outside is not drawn."
)
GIVEN_UP: Final = (
    "Given up for want of money: people plan their payments, and one is never tried when the "
    "account does not hold enough at that moment. It is in no table. A campaign is one ring that "
    "plays one script to several victims; an episode is what happens to one of them."
)
MARKS: Final = (
    "Share of fraud: of all payments that bear the mark, honest ones and those of victims. Those "
    "of mules are left out."
)
TRUE_RATE: Final = (
    "At the true rate: the same share, had this world only as much fraud as a bank really sees."
)
HOURS: Final = "* From the first to the last payment of an episode; 0 where there is only one."
ESCALATION: Final = (
    "The median over episodes that went so far; points with fewer than three are not drawn."
)
RESPONSES: Final = (
    "What came of the last warning. Stopped: the victim gave up, and the story ends. Coached: the "
    "victim gave up this payment and came back minutes later in smaller parts or by another way, "
    "as the fraudster had taught. Insisted: the victim paid all the same."
)
QUIET: Final = (
    "Quiet: share of episodes that hide, without a call, a shared screen or a new device while "
    "paying, in smaller sums and with less haste. Warned: met a warning at least once. Stopped: "
    "gave up for good then. Reported: becomes known as fraud sooner or later, often after the last "
    "day of this world; median days from the last payment until then."
)
LAYERS: Final = (
    "Layer 1 collects from victims, layer 2 disperses, layer 3 turns the money into cash, gold or "
    "virtual assets. Honest: persons' accounts that eight or more people pay for the first time on "
    "one day."
)
ACCOUNTS: Final = (
    "Bought, rented and dormant: customers' accounts that were sold, lent, or sold after they had "
    "long lain idle. Short-lived: opened for the ring. Elsewhere: at another bank. Company: of a "
    "company that exists on paper. Days: from the first to the last fraudulent movement."
)
