"""Words that stand in name fields without being the name. All in lower case, without full stops."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SALUTATIONS = _words(
    """
    mr mrs ms miss mx sir madam dr prof professor rev
    herr frau fräulein hr fr dipl ing
    monsieur madame mademoiselle m mme mlle
    signor signora sig señor señora sr sra srta
    dhr mevr господин госпожа г-н г-жа пан пані pan pani
    """
)
AMBIGUOUS_SALUTATIONS = frozenset({"m", "fr", "sr", "hr", "pan"})
"""Salutations only with a full stop, and before two words or more: `M. Jean Dupont`, `Pan Tau`."""

SUFFIXES = _words("jr sr jun sen junior senior ii iii iv phd md esq dds cpa mba dvm rn ret")

PARTICLES = _words(
    """
    van von vom zu zum zur de der den del della delle dello degli di da do dos das du des la le lo las los
    ter ten te af av bin bint ibn al el abu ben bat mac st san santa фон де ван дер
    """
)
"""Belong to the family name that follows."""

CYRILLIC_GIVEN_NAMES = _words(
    """
    александр алексей анатолий андрей антон аркадий арсений артем артём артур богдан борис вадим валентин
    валерий василий виктор виталий владимир владислав всеволод вячеслав геннадий георгий герман глеб григорий
    давид даниил данила денис дмитрий евгений егор ефим иван игорь илья иннокентий кирилл константин лев
    леонид макар максим марат марк матвей михаил назар никита николай олег павел петр пётр платон прохор
    родион роман ростислав руслан рустам савелий семен семён сергей станислав степан тарас тимофей тимур
    федор фёдор филипп эдуард юрий яков ярослав
    саша лёша леша миша дима ваня женя коля костя слава вова паша петя серёжа сережа юра
    александра алена алёна алина алиса алла альбина анастасия ангелина анжела анна антонина валентина валерия
    варвара василиса вера вероника виктория галина дарья диана евгения екатерина елена елизавета жанна зинаида
    зоя инна ирина карина кира клавдия кристина ксения лариса лидия лилия любовь людмила маргарита марина
    мария милана надежда наталия наталья нина оксана олеся ольга полина раиса светлана снежана софия софья
    таисия тамара татьяна ульяна эльвира юлия яна
    аня катя лена лиза маша настя наташа оля света таня юля
    олександр олексій андрій василь віктор володимир дмитро євген іван ігор костянтин кирило микола михайло
    олег павло петро сергій тарас юрій ганна ірина катерина наталія олена оксана світлана тетяна юлія
    """
)
"""Common given names of Russian and Ukrainian, to tell `Иванов Иван` from `Иван Иванов`."""

PLACEHOLDERS = _words(
    """
    anonymous anon unknown none null n/a na noname visitor guest customer shopper test tester user caller
    wireless unavailable private website неизвестно аноним гость посетитель unbekannt anonym inconnu
    """
)
PLACEHOLDER_PHRASES = frozenset(
    {
        "not provided",
        "not available",
        "no name",
        "chat visitor",
        "toll free call",
        "cell phone",
        "out of area",
    }
)
