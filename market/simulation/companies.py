"""The invented companies of the seeded market. None of them exists. Markets of more than these (a bench,
a wide world) get numbered ones.

`beta_ppm`: how far the price moves with the whole market. `activity`: how often somebody acts in
the instrument, 1 (every 2 s) to 4 (every 0.5 s). `worth`: cash that a usual price level holds.
"""

from __future__ import annotations

from typing import NamedTuple


class Company(NamedTuple):
    symbol: str
    name: str
    name_zh: str
    sector: str
    price: int  # cents, around which the seed chooses the first price
    beta_ppm: int
    activity: int
    worth: int  # cents


SECTORS_ZH = {
    "Finance": "金融",
    "Consumer": "消费",
    "Technology": "科技",
    "Energy": "能源",
    "Materials": "材料",
    "Health": "医药",
    "Industry": "工业",
    "Leisure and property": "文旅地产",
}

COMPANIES = (
    Company("ALB", "Alder Bank", "桤木银行", "Finance", 12_60, 780_000, 4, 32_000_000),
    Company("MRT", "Meridian Trust", "子午信托", "Finance", 27_35, 960_000, 2, 18_000_000),
    Company("FNI", "Fennel Insurance", "茴香保险", "Finance", 88_10, 900_000, 3, 26_000_000),
    Company("FLS", "Flint Securities", "燧石证券", "Finance", 18_90, 1_350_000, 3, 22_000_000),
    Company("PWS", "Plumwater Spirits", "梅水酒业", "Consumer", 412_00, 920_000, 4, 45_000_000),
    Company("SDF", "Sundown Foods", "落霞食品", "Consumer", 61_40, 760_000, 2, 17_000_000),
    Company("LKD", "Larkfield Dairy", "云雀乳业", "Consumer", 28_75, 700_000, 2, 15_000_000),
    Company("MPT", "Mistpeak Tea", "雾岭茶业", "Consumer", 143_20, 820_000, 1, 14_000_000),
    Company("LMC", "Lumen Circuits", "流明电路", "Technology", 304_50, 1_400_000, 4, 38_000_000),
    Company("KTS", "Kite Software", "风筝软件", "Technology", 76_80, 1_300_000, 3, 21_000_000),
    Company("ORB", "Orbis Robotics", "环宇机器人", "Technology", 52_15, 1_450_000, 3, 19_000_000),
    Company("QSI", "Quartz Silicon", "石英硅业", "Technology", 118_40, 1_380_000, 3, 24_000_000),
    Company("TDP", "Tideline Power", "潮线电力", "Energy", 9_85, 620_000, 3, 24_000_000),
    Company("NFG", "Norfell Grid", "北岭电网", "Energy", 16_20, 580_000, 2, 18_000_000),
    Company("SUF", "Sunfield Solar", "日野光伏", "Energy", 34_60, 1_320_000, 3, 20_000_000),
    Company("BHG", "Blackhill Gas", "黑山燃气", "Energy", 23_45, 800_000, 2, 16_000_000),
    Company("IRW", "Ironwood Steel", "铁木钢铁", "Materials", 7_90, 1_050_000, 3, 22_000_000),
    Company("CPR", "Copper Reach", "铜湾矿业", "Materials", 42_30, 1_200_000, 3, 22_000_000),
    Company("WLC", "Willow Chemicals", "柳林化工", "Materials", 31_05, 1_080_000, 2, 15_000_000),
    Company("RSC", "Redstone Cement", "红石水泥", "Materials", 14_70, 940_000, 2, 15_000_000),
    Company("HLM", "Helm Pharma", "舵轮医药", "Health", 128_60, 880_000, 3, 23_000_000),
    Company("VRB", "Verbena Biotech", "马鞭草生物", "Health", 212_40, 1_150_000, 2, 20_000_000),
    Company("LNM", "Linden Medical", "椴树医疗", "Health", 46_90, 840_000, 2, 16_000_000),
    Company("SWR", "Silverway Rail", "银路铁运", "Industry", 26_35, 650_000, 2, 18_000_000),
    Company("GUL", "Gull Shipping", "海鸥航运", "Industry", 11_15, 1_180_000, 3, 19_000_000),
    Company("FLC", "Falconer Motors", "猎隼汽车", "Industry", 196_80, 1_260_000, 4, 34_000_000),
    Company("HGM", "Highgate Machinery", "高门机械", "Industry", 19_25, 1_020_000, 2, 16_000_000),
    Company("BRK", "Brookside Homes", "溪畔地产", "Leisure and property", 8_35, 1_280_000, 3, 20_000_000),
    Company("LNH", "Lantern Hotels", "灯笼酒店", "Leisure and property", 37_50, 1_040_000, 1, 12_000_000),
    Company("ELM", "Echo Lake Media", "回声湖传媒", "Leisure and property", 22_10, 1_220_000, 2, 14_000_000),
)


def listed(count: int) -> tuple[Company, ...]:
    """The first `count` companies; beyond those with names, numbered ones in the same sectors."""
    return COMPANIES[:count] + tuple(_numbered(n) for n in range(len(COMPANIES) + 1, count + 1))


def _numbered(number: int) -> Company:
    like = COMPANIES[number * 7 % len(COMPANIES)]
    price = 8_00 + number * 7_919 % 292_00
    beta_ppm = 600_000 + number * 104_729 % 800_000
    return Company(
        f"N{number:04d}",
        f"Number {number} Works",
        f"{number}号工厂",
        like.sector,
        price,
        beta_ppm,
        like.activity,
        like.worth,
    )


_ACTS_OF_65536 = {1: 7_000, 2: 8_300, 3: 10_400, 4: 18_000}


def acts_of_65536(company: Company) -> int:
    """How likely it is that somebody acts in one step, of 65,536."""
    return _ACTS_OF_65536[company.activity]
