"""The words of the market lexicon: what each says of a price, how strongly, of which event.

Our own choice. A word ending in ``~`` stands for its regular forms (``surge~``: surge, surges,
surged, surging), one ending in ``~~`` doubles its last letter (``drop~~``: dropped, dropping).
Words of a phrase are separated by blanks; the longest phrase that fits wins, so a phrase may take
a word's meaning away (valence 0).

What firms do (adoption, funding, listing, partnership, upgrade) weighs twice what words of movement
and of mood do: of the titles labelled by hand it bears out more often what it says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Words that mean the same to a market.

    ``valence`` -1..1; ``event`` the kind of event they tell of, or none; ``move`` where a
    percentage beside them is the size of the move; ``turns`` where they turn over what follows
    (``trims gains``), their own valence counting only where nothing follows.
    """

    valence: float
    words: str
    event: str = ""
    move: bool = False
    turns: bool = False


SUPPORTING = 0.14
"""Of words of mood: too little to make a direction alone, enough to strengthen or outweigh."""

VALUED = (
    Words(
        0.8,
        "all time high, all time highs, ath, bullish breakout, double in price, explode~, "
        "moon~, new high, new highs, parabolic, record high, record highs, skyrocket~, soar~",
        "price",
        move=True,
    ),
    Words(
        0.6,
        "accelerate~, bounce~, break out, breakout, breaks out, bull run, day high, day "
        "highs, jump~, leap~, month high, month highs, outperform~, rallied, rallies, rally, "
        "rallying, rip~ higher, rocket~, spike~, surge~, week high, week highs, year high",
        "price",
        move=True,
    ),
    Words(
        0.5,
        "back above, best month, best week, boom~, bottomed, bottoming, break above, breaks "
        "above, breaks through, bull flag, climb~, closes above, crack~ $, crosses, "
        "deflationary, edge~ higher, extend gains, extends gains, eyes $, gain~, good "
        "progress, green day, grew, grow, grown, grows, higher high, hit~~ high, in the "
        "green, inch higher, inches higher, inches past, increase~, more upside, moves above, "
        "move~ higher, much higher, price up, prices up, pump~, push~ higher, rebound~, "
        "reclaim~, recovery, recover~, refund~, regain~, return above, returns above, "
        "revive~, rise, risen, rises, rising, rose, send bitcoin higher, sends bitcoin "
        "higher, surpass~, swell~, thrive~, to the moon, top~~ $, trend~ higher, upside, "
        "upside move, uptick, uptober, uptrend",
        "price",
        move=True,
    ),
    Words(
        0.35,
        "closes in on, creeps toward, find support, holds above, holds key support, holds "
        "support, inches toward, remains stable",
        "price",
    ),
    Words(
        SUPPORTING,
        "etf, etfs, etp, freedom, green, higher, payment option, positive, promising, up, upward",
        "price",
        move=True,
    ),
    Words(
        -SUPPORTING,
        "bear market, down, downside, downtrend, downturn, downward, low, lower, negative, weak",
        "price",
        move=True,
    ),
    Words(
        -0.5,
        "cool~ off, correction, decline~, decrease~, down from, drag~~, dries up, drop~~, "
        "dwindle~, edge~ lower, erode~, extend losses, fade~, fallen, fall~, far lower, fell, "
        "go lower, goes lower, headwind, headwinds, hostile, hovers near low, in the red, "
        "inch lower, inches lower, legal row, lose~, loss, losses, lost, low demand, lower "
        "high, move~ lower, much lower, overbought, pain, price down, prices down, probe "
        "lower, pullback, push~ lower, question~ by, recovery stalls, reject~ at, resistance, "
        "retreat~, shrank, shrink~, slip~~, spoof~, stagnate~, stall~, struggle~, struggle~ "
        "to recover, stuck at, stuck below, trapped, trend~ lower, turn red, turns red, under "
        "pressure, underperform~, uphill battle, weaken~",
        "price",
        move=True,
    ),
    Words(
        -0.6,
        "bearish, bears, bleed~, bull trap, capitulation, dead cat bounce, death "
        "cross, dipped, dips, dive~, dumped, dumping, dumps, fakeout, "
        "head and shoulders, lower low, lows, new lows, rout, sank, sell off, sell offs, "
        "selling pressure, selloff, selloffs, shedding, shed~, sink~, slid, slide~, slump~, "
        "sour~, sunk, test new lows, tumble~",
        "price",
        move=True,
    ),
    Words(
        -0.85,
        "all time low, bloodbath, capitulate~, carnage, collapse~, crash~, crater~, death "
        "spiral, flash crash, flash crashes, free fall, freefall, implode~, implosion, "
        "meltdown, nosedive~, plummet~, plunge~, record low, record lows, tank~, wipeout, "
        "worst april, worst june, worst month, worst monthly, worst quarter, worst week",
        "price",
        move=True,
    ),
    Words(
        0.55,
        "ascending triangle, bottom is in, bullish, bulls, buy signal, buy the dip, "
        "confident, cup and handle, encouraging, encouraging signs, golden cross, good for "
        "longs, hints at rally, looks strong, millions predicts, next leg up, nice buy, "
        "optimism about, optimistic, price target, remain strong, reversal "
        "pattern, room to be bullish, strong fundamentals, strong support, to reach $, "
        "undervalued",
        "forecast",
    ),
    Words(
        0.4,
        "above $ #, all in on, best performer, best place, better returns, boost~, bright "
        "future, case for, cheap price, could hit, could reach, deeper liquidity, doing well, "
        "empower~, enters top, faster than, flips, go mainstream, granted right, greed, hit $ "
        "#, hits $ #, hits record, inexpensive, killer app, less volatile, lifeline, "
        "milestone, new record, not too late, opportunity to build, outweigh~, oversold, "
        "overtake~, points to $ #, reach $ #, record inflows, record volume, resilience, "
        "resilient, sees record, stands strong, still reach, "
        "strengthen~, undervalue, will hit",
        "forecast",
    ),
    Words(
        SUPPORTING,
        "advocate~, attracting investors, attractive, breakthrough, catalyst, confidence, "
        "conviction, embrace~, endorse~, favor of crypto, healthy, hedge against inflation, "
        "hope, hopes, improve~, mainstream, momentum, on the rise, optimism, potential rally, "
        "praise~, protects, safe haven, smart money, strength, strong, succeeds, success, "
        "successful, successfully, tailwind, welcome~",
        "forecast",
    ),
    Words(
        -SUPPORTING,
        "backlash, bad news, blast~, concern~, condemn~, conflict, contagion, controversial, "
        "controversy, crisis, criticise~, criticism, criticize~, critic~, dangerous, danger~, "
        "dump, exodus, fail, failed, failing, fails, failure, fear, feared, fearing, fears, "
        "harm~, hawkish, hurt~~, inflation, invasion, looms, panic, problem~, rate hike, rate "
        "hikes, risk, risked, risking, risks, risky, scrutiny, setback, setbacks, stole, "
        "suffer~, suspicious, threaten~, threat~, trouble~, turmoil, volatile, war, warn, "
        "warned, warning, warnings, warns, winter",
        "forecast",
    ),
    Words(
        -0.4,
        "adoption lags, at risk, bagholders, bash, bashes, batter~, below $ #, big problem, "
        "bites, correct lower, crypto winter, cut off electricity, dead, discontent, "
        "downfall, faces squeeze, fiasco, fire sale, flee~, further drop, hammered, havoc, "
        "hits pause, hype fades, in danger, in trouble, keep dropping, lag~~ behind, loses "
        "support, lowest since, makes little sense, makes no sense, negative premium, no use "
        "for, not a good, not ready, outperform bitcoin, outperformed bitcoin, ponzi like, "
        "raises interest rate, rattle~, rekt, selling, selling hits, slam~~, spook~, turns "
        "bearish, uncertain, uncertainty, under $ #, under attack, underwater, woes, worried, "
        "worries, worry, worrying, worrying signs, worsen~",
        "forecast",
    ),
    Words(
        -0.5,
        "bearish signal, bearish target, bloodshed, bubble, can go under $, cast doubt, casts "
        "doubt, could drop, death of, kill, may drop, may not last, more pain, needs to go "
        "lower, not over, overvalued, pessimistic, ponzi, rat poison, recession, sceptical, "
        "sell signal, skeptical, stagflation, under $, warn~ of crash, worst is yet to come, "
        "worthless",
        "forecast",
    ),
    Words(
        0.55,
        "accumulate~, accumulation, adds # btc, adds bitcoin, adds to holdings, bags more, "
        "bought # bitcoin, bought # btc, bought bitcoin, bought the dip, burn rate, burned, "
        "burns tokens, buy back, buy even more, buy more, buyback, buying spree, buys # "
        "bitcoin, buys # btc, buys bitcoin, buys even more, buys more, buys the dip, cap "
        "supply, even more btc, flows into, hodl~, inflow, inflows, leaves exchanges, leaving "
        "exchanges, net buyers, piling in, purchase~ bitcoin, scoop~ up, short squeeze, "
        "stack~ sats, supply shock, token burn, tokens burned, whale support, whales buy",
        "flows",
    ),
    Words(
        -0.5,
        "miners sell, miners selling, miners sold, whales sell, whales sold",
        "flows",
    ),
    Words(
        -0.55,
        "bank run, drives away, exchange inflows, exited, exits, investor exodus, jumping "
        "ship, offload~, outflow, outflows, sell bitcoin, sell their, selled bitcoin, selling "
        "bitcoin, sells bitcoin, shorting, sold bitcoin, sold over, sold "
        "their, unload~, whale dumps, withdraw~ from market",
        "flows",
    ),
    Words(
        -0.7,
        "attacked, breach, breached, compromised, critical bug, drained, exploit, "
        "exploited, exploits, flash loan attack, flash loan exploit, hack, hacked, hacks, "
        "heist, rug pull, rugpull, security flaw, siphon~, steal~, stolen, theft, "
        "vulnerability",
        "hack",
    ),
    Words(
        -SUPPORTING,
        "crime, embezzle~, fake, fraud, fraudulent, illicit, impersonators, insider trading, "
        "manipulation, money laundering, phishing, phishing scam, ponzi scheme, pyramid "
        "scheme, ransomware, scam, scammer, scammers, scams, wash trading",
        "fraud",
    ),
    Words(
        -0.5,
        "backlog, halt~ trading, halt~ withdrawals, pauses bitcoin withdrawals, pauses "
        "reward, stops crypto derivatives, stop~~ trading, suspend~ trading, suspend~ "
        "withdrawals, withdrawal limits",
        "insolvency",
    ),
    Words(
        -0.6,
        "bailout, bankrupt, bankruptcy, cut jobs, cuts jobs, cuts staff, default~, depeg~~, "
        "freezes withdrawals, hiring freeze, insolvency, insolvency debate, insolvent, job "
        "cuts, laid off, lay off, layoffs, lays off, liquidity crisis, loses peg, lost its "
        "peg, margin call, margin calls, pauses withdrawals, resigns, shut down after, shuts "
        "down, slash~ staff, slows down hiring, solvency, steps down, winding down, "
        "withdrawals frozen",
        "insolvency",
    ),
    Words(
        -0.55,
        "liquidate, liquidated, liquidation, liquidations, long squeeze, longs liquidated",
        "liquidation",
    ),
    Words(
        -0.5,
        "congestion, downtime, goes dark, goes offline, network down, outage, outages, stops "
        "producing blocks, temporarily suspends",
        "outage",
    ),
    Words(
        -0.5,
        "# fine, accuse~, allegation, allegations, allegedly, alleges, cease and desist, "
        "charged, charges, class action, fine for, fine of, fined, fines, guilty of "
        "violating, indicted, indictment, investigate~, investigation, lawsuit, lawsuits, "
        "legal battle, m fine, penalty, pleads guilty, probe~, settlement with sec, subpoena, "
        "subpoenas, sued, sues, suing, violate, violated, violates, violating, violation",
        "lawsuit",
    ),
    Words(
        0.5,
        "approval, approve~, bitcoin friendly, court victory, crypto friendly, crypto hub, "
        "dismiss~ case, drops charges, empower and protect, green light, greenlight~, "
        "innovation task force, legal status, legal tender, legalise~, legalize~, licence, "
        "license, license to, licensed, lift ban, lifts ban, provisional approval, regulatory "
        "approval, regulatory clarity, secures license, supports plan, tax break, tax exempt, "
        "wins case, wins license",
        "regulation",
    ),
    Words(
        0,
        "bill of rights, digital services act, regulation explained, tax solution",
        "regulation",
    ),
    Words(
        -0.45,
        "doubles down on crypto regulation, down a combined",
        "regulation",
    ),
    Words(
        -0.55,
        "ban, banned, banning, bans, bans mining, barred, blacklist~, clampdown, clamp~ down, "
        "comply with push to ban, crack down, crackdown, cracks down, crypto tax, does not "
        "meet, illegal, lack of clear, more crypto taxes, new tax, oppose bitcoin, outlaw~, "
        "prohibit~, regulatory pressure, regulatory risk, reprimand~, restriction, "
        "restrictions, restrictive, restrict~, shut down, stricter, stricter regulation, "
        "stricter rules, targeted at, tax hike, tighten~, tougher rules",
        "regulation",
    ),
    Words(
        -0.5,
        "delist, delisted, delisting, delistings, delists",
        "delisting",
    ),
    Words(
        -0.4,
        "abandon~, cancelled, cancel~, difficulty bomb, ditch~, drop support, ends support, "
        "exit~ market, pull out, pulls out, pushed back, resigned, scrap~~, unwind~",
        "delay",
    ),
    Words(
        0.5,
        "bitcoin etf, bitcoin futures etf, crypto etf, etf approval, etf comes, etf launch, "
        "ether etf, etps, files for etf, files for new etf, first etp, new etf, new etp, spot "
        "bitcoin etf, spot etf",
        "etf",
    ),
    Words(
        0,
        "etf explained, etfs explained, futures etfs",
        "etf",
    ),
    Words(
        0.9,
        "able to invest, accept bitcoin, accept crypto, accepting crypto, accepts bitcoin, "
        "accepts crypto, access to, adds # bitcoin, adds support, adoption, adopt~, bet on "
        "bitcoin, bitcoin backed, blockchain of choice, buying land in, cashback, crypto "
        "focus, crypto in portfolio, crypto services, dogecoin payments, double down, doubled "
        "down, doubles down, doubling down, early investor, embraces bitcoin, enter nft, "
        "enters crypto, enters metaverse, enters web3, expect to use, exposure to, have "
        "crypto, hold crypto, holders buy, increase savings, institutional demand, "
        "institutional investors, interested in buying, mass adoption, new use case, owned "
        "bitcoin, pay with bitcoin, payments integration, reserve asset, settlement for, to "
        "store wealth, trading services, treasury reserve, use cases, users surge",
        "adoption",
    ),
    Words(
        0.9,
        "b fund, backed by, backs, bags $, billion fund, credit facility, ecosystem fund, "
        "fund backed, funding round, go public, grant, invests, launches fund, m fund, "
        "million fund, raise, raised, raises, raising, secures $, seed round, series a, "
        "series b, series c, unicorn, valuation, valued at, venture capital, venture capital "
        "wing",
        "funding",
    ),
    Words(
        0.8,
        "acquire, acquired, acquires, acquiring, acquisition, advisor, ambassador, "
        "collaborate~, collaboration, deployed to, deploys on, exchange partner, integrates, "
        "integrates with, integrating, integration, integrations, joins forces, joint "
        "venture, official crypto sponsor, official partner, partnership, partnerships, "
        "partner~, set to power, sponsor, taps, team up with, teams up, tie in, tie up",
        "partnership",
    ),
    Words(
        0.9,
        "available on, exchange listing, exchange listings, goes live on, listed on, listing, "
        "listings, lists, list~ token, now available",
        "listing",
    ),
    Words(
        0.8,
        "can now buy, now buy, users can now",
        "listing",
    ),
    Words(
        0,
        "listed as, listing and delisting, lists fake, lists of",
        "listing",
    ),
    Words(
        0.8,
        "activated, activates, advance ethereum scaling, goes live, hard fork goes live, hits "
        "mainnet, hits roadmap, mainnet launch, major update, network upgrade, "
        "privacy update, protocol updates, roadmap targets, upgrade, "
        "upgraded, upgrades",
        "upgrade",
    ),
    Words(
        0.5,
        "difficulty hits, difficulty notches",
        "network",
    ),
    Words(
        SUPPORTING,
        "hash rate, hashrate, mining difficulty",
        "network",
    ),
    Words(
        2 * SUPPORTING,
        "mainnet, scaling, testnet, the merge, upgrading",
        "upgrade",
    ),
    Words(
        SUPPORTING,
        "above, adds liquidity, approaches, growing, growing interest, growth, learn, nears, "
        "stable, support",
    ),
    Words(
        0,
        "back down, backed down, backs down, below the surface, break~ down, buy bitcoin, "
        "calm~ down, capital gains, catch up, consolidate~ gains, customer support, decline in, "
        "down the line, "
        "down under, drop collection, drop in, drop out, drops collection, ending up, fall in "
        "love, fall victim, fallen soldiers, falls victim, follow up, gains tax, gas low, "
        "growth in, high net worth, high profile, high returns, higher education, higher "
        "returns, highlights, highs and lows, how long, hunt~ down, impermanent loss, in a "
        "range, in support of, increase in, key levels, long term, loss protection, losses "
        "since, lost and found, lost keys, low cost, low fees, lower barriers, lower fees, "
        "lower taxes, made up, market cap, negative interest, negative interest rate, nft "
        "collection, "
        "nft drop, now supports, own crypto, positive impact, price analysis, recovery "
        "phrase, recovery plan, recovery token, refunds some, rise in, rising star, set up, "
        "shut up, sign up, stolen bitcoin, stolen btc, stolen crypto, stolen funds, stuck in a "
        "range, support for, support team, support ukraine, tax "
        "evasion, team up, top, tops up, up close, up for, up in, up to, ups and downs, use "
        "crypto",
    ),
    Words(
        -SUPPORTING,
        "below, beneath, glitch, low volume, quiet, sanction, sanctioned, sanctioning, "
        "sanctions, sue, suspend, suspended, suspends",
    ),
)
"""What carries a sign by itself."""

ACTORS = (
    "bank, banks, banking, giant, giants, central bank, government, gov't, state, fund, "
    "goldman, goldman sachs, jpmorgan, blackrock, fidelity, microsoft, google, meta, facebook, "
    "instagram, twitter, amazon, sony, intel, tesla, paypal, visa, mastercard, shopify, stripe, "
    "starbucks, gamestop, samsung, apple, nike, adidas, robinhood, cloudflare, coinbase, "
    "binance, ftx, kraken, grayscale, vaneck, 21shares, coinshares, opera, ledger, investors, "
    "institutions, president, putin, bukele, musk, el salvador, dubai, city, firm, firms, chain "
    "giant, fintech, company, companies, retailer, insurer, airline, university, wall street, "
    "cboe, nasdaq, whales, hedge fund, hedge funds, delivery app, exchange giant, senator, "
    "governor, universal, platform"
)
"""Who by acting moves a market: an institution, a state, a large company."""

ACTS = (
    "launch~, offer~, unveil~, enter~, plan~~, plans, aim~, aims, introduce~, open~, let, lets, "
    "allow~, enable~, bet~~, bets, join~, add~, expand~, support~, supports, build~, use~, "
    "uses, using, debut~, eye~, eyes, roll~ out, start~, bring~, brings, develop~, explore~, "
    "looking to, set to, release~, provide~, provides, issue~, give~, back, buy~, bought, buys, "
    "sign~, take~ stake, seeks, tap~~"
)
"""What such a one does; beside an actor in the same title it says: adopted."""

ACTOR_AND_ACT = 0.14
"""What an actor and an act say together; each alone says nothing, and both only support."""

TURNERS = (
    Words(
        0,
        "not, no, never, don't, doesn't, didn't, isn't, aren't, wasn't, won't, can't, cannot, "
        "without, nor, neither, hardly, wouldn't, couldn't, shouldn't, nothing, none of, far "
        "from, unlikely to",
        turns=True,
    ),
    Words(
        -0.3,
        "fails to, fail to, failed to, failing to, fails at, unable to, refuse~ to, struggle~ to",
        turns=True,
    ),
    Words(
        0,
        "deny, denies, denied, denying, dismiss~, downplay~, rule~ out, rules out, play~ "
        "down, refute~",
        turns=True,
    ),
    Words(
        0,
        "trim~~, pare~, correct~, slash~, erase~, give~ up, gives up, wipe~ out, cut~~, limit~, "
        "ease~, "
        "reduce~",
        turns=True,
    ),
    Words(
        0,
        "oppose~, block~, halt~, against, avoid~, end, ends, ended, ending, end of, stop~~, "
        "prevent~, mitigate~, lift~, combat~, fight~, tackle~, protect~ against, curb~, "
        "survive~, water~ "
        "down, shrug~ off, brush~ off, defy, defies, defied, overcome~, overcomes, weather~, "
        "lack of, less, fewer, no longer, ignore~, beat~ back, reverse~, assuage~, recover~ "
        "from, recovers from, rebound~ from, bounce~ from, bounces back from, immune to",
        turns=True,
    ),
    Words(
        -0.5,
        "reject~, delay~, postpone~",
        turns=True,
    ),
)
"""What turns over what follows it; the own valence counts where nothing follows."""

BOOSTERS = {
    "massive": 1.4, "massively": 1.4, "huge": 1.4, "hugely": 1.4, "sharply": 1.4, "sharp": 1.3,
    "major": 1.2, "biggest": 1.3, "largest": 1.3, "record": 1.4, "worst": 1.4, "best": 1.3,
    "very": 1.25, "highly": 1.25, "extremely": 1.5, "heavily": 1.3, "dramatically": 1.4,
    "significantly": 1.3, "significant": 1.2, "strongly": 1.3, "rapidly": 1.3, "most": 1.1,
    "steep": 1.3, "deep": 1.2, "deeply": 1.3, "severe": 1.4, "severely": 1.4, "critical": 1.2,
    "total": 1.2, "completely": 1.4, "unprecedented": 1.4, "historic": 1.3,
    "double-digit": 1.3, "brutal": 1.4, "serious": 1.2, "further": 1.1, "fresh": 1.1,
    "wildly": 1.3, "hugest": 1.4,
}  # fmt: skip
"""Words before a word that make it stronger, and how much."""

DAMPENERS = {
    "slightly": 0.6, "slight": 0.6, "somewhat": 0.7, "barely": 0.4, "almost": 0.8,
    "nearly": 0.9, "modest": 0.6, "modestly": 0.6, "little": 0.5, "minor": 0.5,
    "partially": 0.6, "small": 0.7, "mild": 0.6, "mildly": 0.6, "marginally": 0.5,
    "temporary": 0.7, "temporarily": 0.7, "brief": 0.7, "briefly": 0.7, "may": 0.7,
    "might": 0.6, "could": 0.8, "would": 0.8, "can": 0.85, "possibly": 0.7, "potentially": 0.7,
    "reportedly": 0.9, "possible": 0.7, "potential": 0.8, "maybe": 0.7,
}  # fmt: skip
"""Words before a word that make it weaker; those of doubt among them."""

ADVERSATIVE = (
    "but", "however", "yet", "though", "nonetheless",
)  # fmt: skip
"""What follows them is what the title means."""

CONCESSIVE = (
    "despite", "although", "notwithstanding", "amid", "amidst", "regardless", "after", "if",
    "during", "following", "unfazed",
)  # fmt: skip
"""What follows them is the setting, until the next break, and not what the title means."""

ASIDES = frozenset({
    "refunded", "refunds", "receives", "legal", "killing",
    "actor", "actress", "authorities", "casino", "documentary", "extortion", "fighter", "gambling",
    "gang", "gangs", "kidnapped",
    "murder", "police", "rapper", "robbed", "robbers", "robbery", "singer", "tiktok", "tortured",
    "arrest", "arrested", "arrests", "art", "artist", "beware", "celebrity", "charity",
    "climate", "collection", "collections", "constitution", "couple", "court", "covid",
    "donate", "donated", "donates", "donation", "donations", "duped", "dupes", "education",
    "energy", "explains", "film", "generation", "guide", "hacker", "hackers", "jailed", "kids",
    "lesson", "lessons", "love", "movie", "museum", "museums", "music", "platforms", "podcast",
    "prison", "privacy", "protocols", "refugee", "refugees", "research", "rights", "romance",
    "scammer", "scammers", "sentenced", "song", "student", "students", "themed", "tips",
    "veteran", "vigilante", "wedding", "youtube", "youtuber", "youtubers",
})  # fmt: skip
"""Words of titles in which a market is only the setting: they say little of a price."""

VOICES = frozenset({
    "said", "say", "says", "might", "could", "should", "would", "can",
    "argues", "believes", "compares", "explaining", "idea", "takeaways", "theories", "thinks",
    "thoughts",
    "her", "his", "my", "your",
})  # fmt: skip
"""Words of a title that tells an opinion, a possibility or what is one person's own, not what
happened to a market; "may" is a month."""

SPEAKERS = frozenset({
    "analyst", "ceo", "cto", "economist", "exec", "executive", "expert", "founder", "minister",
    "president", "professor", "strategist",
})  # fmt: skip
"""Who speaks where a break divides the title into a name and a saying."""

PERSONS = frozenset({
    "buyer", "entrepreneur", "founder", "gambler", "holder", "investor", "man", "owner", "trader",
    "user", "victim", "woman",
})  # fmt: skip
"""One person, whose gain or loss is not the market's."""

TOPICAL = frozenset({
    "accusations", "allegations", "debate", "exposes", "highlights", "idea", "proves",
    "reveals", "risk", "risks", "rumor", "rumors", "rumour", "rumours", "shows", "speculation",
    "talk", "teaches",
    "ended", "ends", "fades", "fizzles", "pause", "over",
})  # fmt: skip
"""Directly behind a thing said they make it a topic, or tell that it is over."""

BURDENS = frozenset({
    "charge", "charges", "complaints", "concerns", "debt", "fears", "inflation", "liquidations",
    "loss", "losses", "outflows", "rates", "scams",
})  # fmt: skip
"""Bad things: that they rise or fall says little of the market."""

NOUNS = frozenset({
    "bloodbath", "breakout", "bull run", "carnage", "correction", "dead cat bounce", "headwind",
    "headwinds", "implosion", "loss", "losses", "lows", "meltdown", "pullback", "recovery",
    "resistance", "sell off", "sell offs", "selling pressure", "selloff", "selloffs", "uptick",
    "uptrend", "upside", "wipeout",
})  # fmt: skip
"""Nouns of movement that are no verb as well: they name it, and need not tell that it happens."""

NEGATIONS = frozenset({
    "not", "no", "never", "don't", "doesn't", "didn't", "isn't", "aren't", "wasn't", "won't",
    "can't", "cannot", "without", "nor", "neither", "hardly", "wouldn't", "couldn't",
    "shouldn't", "nothing", "none", "far",
})  # fmt: skip
"""First words of the turners that deny a thing, and do not tell of a turn."""

PROPOSALS = frozenset({
    "proposal", "responds", "seeks", "considers", "mulls", "considering", "urges",
    "call", "calls", "predicts", "propose", "proposed", "proposes", "rumor", "rumors",
    "rumour", "rumours", "tries", "try", "want", "wants",
    "asks", "await", "awaits", "discusses", "discussing", "need", "needs", "trying", "waiting",
})  # fmt: skip
"""Before a thing that is only wanted: half of it."""

ROUNDUPS = (
    "more news", "and more", "price analysis", "listing and delisting", "finance redefined",
    "nifty news", "altcoin roundup", "crypto stories", "law decoded", "things to know",
    "things you", "weekly overview", "hodler's digest", "top 5", "key differences", "interview",
    "complete guide", "price levels", "levels to watch", "opinion", "op ed",
)  # fmt: skip
"""Marks of a title that tells of many things, or of none: it has no direction."""

CLOSING = ("despite", "although", "notwithstanding")
"""Of these, what stands within a title concedes to its end, over commas."""

ACCOMPANYING = (
    "as", "while", "before", "since", "until", "than", "whether", "would",
)  # fmt: skip
"""What follows them goes along with what the title means, and need not be about the same thing."""

MARKET = frozenset({
    "altcoin", "altcoins", "coin", "coins", "cryptos", "cryptocurrencies", "market", "markets",
    "memecoin", "memecoins", "price", "prices", "token", "tokens",
})  # fmt: skip
"""What a movement may be of where no asset is named."""

OTHERS = frozenset({
    "complaints", "fee", "netflix", "tesla", "apple",
    "bonds", "dollar", "dollars", "equities", "fees", "gold", "oil", "shares", "stock",
    "stocks",
})  # fmt: skip
"""What moves of its own: a movement beside it is not the asset's."""

EXPLAINERS = (
    "what", "how", "why", "who", "when", "where", "here", "which", "explained", "meet",
)  # fmt: skip
"""First words of a title that explains: it says less than its words."""
