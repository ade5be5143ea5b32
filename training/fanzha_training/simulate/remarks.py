"""What people write beside a transfer (附言)."""

from typing import Final

REMARKS: Final = (
    "", "转账", "房租", "押金", "定金", "首付款", "购房款", "购车款", "学费", "住宿费", "生活费",
    "彩礼", "礼金", "份子钱", "借款", "还款", "货款", "材料款", "工程款", "服务费", "工资", "奖金",
    "报销", "养老金", "水费", "电费", "燃气费", "话费", "税款", "住院费", "保证金", "充值", "外卖",
    "餐费", "购物", "理财", "银证转账", "任务", "备用金", "退款", "返现",
    "AA", "红包", "二手", "装修款", "培训费", "提现", "往来款",
)  # fmt: skip
"""Kept as numbers in a plan, see `remark`."""


def remark(text: str) -> int:
    """Return the number of a remark.

    Raises:
        ValueError: it is none of `REMARKS`.
    """
    return REMARKS.index(text)
