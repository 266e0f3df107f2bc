"""The questions to Shopify's Admin API, as text with variables.

Nothing that names or reaches a customer is asked for, nor are free texts (notes, tags, attributes)
that may hold such. Connections inside a list cannot be asked for in bulk, so refunds come in two
steps on both roads: an order tells their ids, and `REFUNDS` what is in them. Short pages of lines
keep a query's cost within what one may have; what does not fit is read by `MORE_LINES` and the
like.
"""

from __future__ import annotations

_MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
_PAGE = "pageInfo { hasNextPage endCursor }"

_LINE = f"""
        id sku name title variantTitle vendor quantity currentQuantity isGiftCard taxable
        originalUnitPriceSet {_MONEY}
        discountedUnitPriceSet {_MONEY}
        discountAllocations {{
          allocatedAmountSet {_MONEY}
          discountApplication {{ index allocationMethod targetSelection targetType }}
        }}
        taxLines {{ title rate priceSet {_MONEY} }}
        product {{ id }}
        variant {{ id }}"""

_ORDER = f"""
      id name createdAt processedAt updatedAt closedAt cancelledAt cancelReason
      test edited confirmed taxesIncluded currencyCode presentmentCurrencyCode
      displayFinancialStatus displayFulfillmentStatus returnStatus sourceName
      totalPriceSet {_MONEY}
      subtotalPriceSet {_MONEY}
      totalDiscountsSet {_MONEY}
      totalTaxSet {_MONEY}
      totalShippingPriceSet {_MONEY}
      totalRefundedSet {_MONEY}
      currentTotalPriceSet {_MONEY}
      refunds {{ id }}"""

_PRODUCT = """
      id title handle status vendor productType createdAt updatedAt publishedAt
      priceRangeV2 { minVariantPrice { currencyCode } }"""

_VARIANT = "id sku title price position updatedAt"

_REFUND_LINE = f"""
          id quantity restockType restocked
          priceSet {_MONEY}
          subtotalSet {_MONEY}
          totalTaxSet {_MONEY}
          lineItem {{ id sku }}"""
_REFUND_SHIPPING = f"id subtotalAmountSet {_MONEY} taxAmountSet {_MONEY}"
_REFUND_ADJUSTMENT = f"id reason amountSet {_MONEY} taxAmountSet {_MONEY}"

ORDERS = f"""
query Orders(
  $first: Int!, $after: String, $query: String!, $sortKey: OrderSortKeys!, $lines: Int!
) {{
  orders(first: $first, after: $after, query: $query, sortKey: $sortKey) {{
    nodes {{{_ORDER}
      lineItems(first: $lines) {{
        nodes {{{_LINE}
        }}
        {_PAGE}
      }}
    }}
    {_PAGE}
  }}
}}
"""

PRODUCTS = f"""
query Products(
  $first: Int!, $after: String, $query: String!, $sortKey: ProductSortKeys!, $lines: Int!
) {{
  products(first: $first, after: $after, query: $query, sortKey: $sortKey) {{
    nodes {{{_PRODUCT}
      variants(first: $lines) {{
        nodes {{ {_VARIANT} }}
        {_PAGE}
      }}
    }}
    {_PAGE}
  }}
}}
"""

REFUNDS = f"""
query Refunds($ids: [ID!]!, $lines: Int!, $others: Int!) {{
  nodes(ids: $ids) {{
    ... on Refund {{
      id createdAt processedAt updatedAt
      totalRefundedSet {_MONEY}
      refundLineItems(first: $lines) {{
        nodes {{{_REFUND_LINE}
        }}
        {_PAGE}
      }}
      refundShippingLines(first: $others) {{ nodes {{ {_REFUND_SHIPPING} }} {_PAGE} }}
      orderAdjustments(first: $others) {{ nodes {{ {_REFUND_ADJUSTMENT} }} {_PAGE} }}
      duties {{ amountSet {_MONEY} }}
    }}
  }}
}}
"""


def _more(name: str, owner: str, connection: str, fields: str) -> str:
    return f"""
query {name}($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{
    ... on {owner} {{
      id
      {connection}(first: $first, after: $after) {{ nodes {{ {fields} }} {_PAGE} }}
    }}
  }}
}}
"""


MORE = {
    "lineItems": _more("MoreLines", "Order", "lineItems", _LINE),
    "variants": _more("MoreVariants", "Product", "variants", _VARIANT),
    "refundLineItems": _more("MoreRefundLines", "Refund", "refundLineItems", _REFUND_LINE),
    "refundShippingLines": _more(
        "MoreRefundShipping", "Refund", "refundShippingLines", _REFUND_SHIPPING
    ),
    "orderAdjustments": _more("MoreAdjustments", "Refund", "orderAdjustments", _REFUND_ADJUSTMENT),
}
"""The rest of a connection that is longer than its first page, by its name."""

COUNT_ORDERS = """
query CountOrders($query: String!, $limit: Int!) {
  ordersCount(query: $query, limit: $limit) { count precision }
}
"""

ACCESS = """
query Access {
  currentAppInstallation { accessScopes { handle } }
}
"""

RUN_BULK = """
mutation RunBulk($query: String!, $grouped: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status createdAt }
    userErrors { code field message }
  }
}
"""

_OPERATION = """
      id status errorCode createdAt completedAt objectCount rootObjectCount fileSize url
      partialDataUrl query"""

BULK_STATE = f"""
query BulkState($id: ID!) {{
  node(id: $id) {{
    ... on BulkOperation {{{_OPERATION}
    }}
  }}
}}
"""

BULK_RUNNING = f"""
query BulkRunning($first: Int!, $query: String!) {{
  bulkOperations(first: $first, query: $query, sortKey: CREATED_AT, reverse: true) {{
    nodes {{{_OPERATION}
    }}
  }}
}}
"""

BULK_ORDERS = f"""{{
  orders(query: "%s") {{
    edges {{
      node {{{_ORDER}
        lineItems {{
          edges {{
            node {{{_LINE}
            }}
          }}
        }}
      }}
    }}
  }}
}}"""
"""What a bulk operation reads; it takes no variables. The filter holds nothing but instants."""

ALL = (
    ORDERS,
    PRODUCTS,
    REFUNDS,
    *MORE.values(),
    COUNT_ORDERS,
    ACCESS,
    RUN_BULK,
    BULK_STATE,
    BULK_RUNNING,
    BULK_ORDERS % "updated_at:>='2026-01-01T00:00:00Z'",
)
