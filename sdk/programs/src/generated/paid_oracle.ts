// The interface of paid_oracle. Generated from artifacts/paid_oracle.json by scripts/generate.ts; do not edit.

/** The IDL in camelCase, for `Program<…>`. Only a type: at run time `Program` converts the IDL below. */
export type PaidOracle = {
  "address": "MPPzbMPuK9VQsMT396wjUzL8k8mLQmVCY5pVVEYLAfF",
  "metadata": {
    "name": "paidOracle",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Example: a program that pays a price provider by CPI and accepts attested prices only"
  },
  "instructions": [
    {
      "name": "acceptPrice",
      "docs": [
        "Anyone who carries an attested receipt. The feed takes the price and uses the receipt up."
      ],
      "discriminator": [
        110,
        25,
        28,
        175,
        22,
        221,
        155,
        107
      ],
      "accounts": [
        {
          "name": "feed",
          "writable": true
        },
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "payProgram",
          "address": "mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "acceptPriceArgs"
            }
          }
        }
      ]
    },
    {
      "name": "initializeFeed",
      "docs": [
        "Owner. Nothing → a feed without a price. Its vault is the feed's associated token account, which anyone may",
        "make and fill."
      ],
      "discriminator": [
        167,
        251,
        140,
        58,
        66,
        138,
        187,
        95
      ],
      "accounts": [
        {
          "name": "owner",
          "writable": true,
          "signer": true
        },
        {
          "name": "feed",
          "writable": true
        },
        {
          "name": "provider"
        },
        {
          "name": "mint"
        },
        {
          "name": "systemProgram",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "initializeFeedArgs"
            }
          }
        }
      ]
    },
    {
      "name": "requestPrice",
      "docs": [
        "Owner. The feed pays its provider the fee for one price."
      ],
      "discriminator": [
        143,
        129,
        96,
        41,
        15,
        255,
        177,
        51
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true,
          "relations": [
            "feed"
          ]
        },
        {
          "name": "rentPayer",
          "writable": true,
          "signer": true
        },
        {
          "name": "feed"
        },
        {
          "name": "provider",
          "relations": [
            "feed"
          ]
        },
        {
          "name": "mint",
          "relations": [
            "feed"
          ]
        },
        {
          "name": "vault",
          "writable": true
        },
        {
          "name": "providerTokenAccount",
          "writable": true
        },
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "tokenProgram"
        },
        {
          "name": "payProgram",
          "address": "mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM"
        },
        {
          "name": "systemProgram",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "requestPriceArgs"
            }
          }
        }
      ]
    },
    {
      "name": "withdraw",
      "docs": [
        "Owner. Moves tokens from the vault to the owner."
      ],
      "discriminator": [
        183,
        18,
        70,
        156,
        148,
        109,
        161,
        34
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true,
          "relations": [
            "feed"
          ]
        },
        {
          "name": "feed"
        },
        {
          "name": "mint",
          "docs": [
            "Any mint: what was sent to the feed by mistake can be taken back too."
          ]
        },
        {
          "name": "vault",
          "writable": true
        },
        {
          "name": "ownerTokenAccount",
          "writable": true
        },
        {
          "name": "tokenProgram"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "withdrawArgs"
            }
          }
        }
      ]
    }
  ],
  "accounts": [
    {
      "name": "feed",
      "discriminator": [
        69,
        191,
        16,
        227,
        132,
        187,
        84,
        227
      ]
    }
  ],
  "errors": [
    {
      "code": 9000,
      "name": "feeMustBeNonZero",
      "msg": "the fee is zero"
    },
    {
      "code": 9001,
      "name": "maxAgeMustBePositive",
      "msg": "the greatest age of a price is not positive"
    },
    {
      "code": 9002,
      "name": "notTheOwner",
      "msg": "the account is not the feed's owner"
    },
    {
      "code": 9003,
      "name": "notTheProvider",
      "msg": "the account is not the feed's provider"
    },
    {
      "code": 9004,
      "name": "notTheMint",
      "msg": "the account is not the feed's mint"
    },
    {
      "code": 9005,
      "name": "priceOutOfTime",
      "msg": "the price was published in the future or is older than the feed allows"
    },
    {
      "code": 9006,
      "name": "priceNotNewer",
      "msg": "the feed has a price of that time or a later one"
    },
    {
      "code": 9007,
      "name": "priceMustBePositive",
      "msg": "the price is not positive"
    },
    {
      "code": 9008,
      "name": "notTheVault",
      "msg": "the token account does not belong to the feed"
    },
    {
      "code": 9009,
      "name": "notTheOwnersTokenAccount",
      "msg": "the token account does not belong to the owner"
    }
  ],
  "types": [
    {
      "name": "acceptPriceArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "nonce",
            "docs": [
              "That of the request."
            ],
            "type": "u64"
          },
          {
            "name": "price",
            "type": {
              "defined": {
                "name": "price"
              }
            }
          }
        ]
      }
    },
    {
      "name": "feed",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "owner",
            "docs": [
              "Asks for prices, and may empty the vault."
            ],
            "type": "pubkey"
          },
          {
            "name": "provider",
            "docs": [
              "Is paid, and attests prices."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "docs": [
              "What the provider is paid in."
            ],
            "type": "pubkey"
          },
          {
            "name": "symbol",
            "docs": [
              "What the price is of, such as `SOL/USD`, padded with zeros."
            ],
            "type": {
              "array": [
                "u8",
                16
              ]
            }
          },
          {
            "name": "fee",
            "docs": [
              "Base units paid for one price."
            ],
            "type": "u64"
          },
          {
            "name": "maxAge",
            "docs": [
              "Seconds after which a price is too old to accept."
            ],
            "type": "i64"
          },
          {
            "name": "price",
            "type": {
              "defined": {
                "name": "price"
              }
            }
          }
        ]
      }
    },
    {
      "name": "initializeFeedArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "symbol",
            "docs": [
              "What the price is of, padded with zeros; part of the address."
            ],
            "type": {
              "array": [
                "u8",
                16
              ]
            }
          },
          {
            "name": "fee",
            "docs": [
              "Base units paid for one price; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "maxAge",
            "docs": [
              "Seconds after which a price is too old to accept; above 0."
            ],
            "type": "i64"
          }
        ]
      }
    },
    {
      "name": "price",
      "docs": [
        "`mantissa` × 10^`exponent`, as of `published_at` in unix seconds; all zero until the first."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "mantissa",
            "type": "i64"
          },
          {
            "name": "exponent",
            "type": "i32"
          },
          {
            "name": "publishedAt",
            "type": "i64"
          }
        ]
      }
    },
    {
      "name": "requestPriceArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "nonce",
            "docs": [
              "Tells requests of the feed in one slot apart; part of the receipt's address."
            ],
            "type": "u64"
          },
          {
            "name": "paySlot",
            "docs": [
              "A slot of the last 1,500; part of the receipt's address."
            ],
            "type": "u64"
          },
          {
            "name": "expiresAt",
            "docs": [
              "Unix seconds until which the price must be attested and accepted."
            ],
            "type": "i64"
          }
        ]
      }
    },
    {
      "name": "withdrawArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units."
            ],
            "type": "u64"
          }
        ]
      }
    }
  ],
  "constants": [
    {
      "name": "feedSeed",
      "docs": [
        "First seed of a feed: `[\"feed\", owner, symbol]`."
      ],
      "type": "bytes",
      "value": "[102, 101, 101, 100]"
    },
    {
      "name": "priceDomain",
      "docs": [
        "Separates the hash of a price from every other hash."
      ],
      "type": "bytes",
      "value": "[112, 97, 105, 100, 95, 111, 114, 97, 99, 108, 101, 58, 112, 114, 105, 99, 101, 58, 118, 49]"
    },
    {
      "name": "requestDomain",
      "docs": [
        "Separates the hash of a request from every other hash."
      ],
      "type": "bytes",
      "value": "[112, 97, 105, 100, 95, 111, 114, 97, 99, 108, 101, 58, 114, 101, 113, 117, 101, 115, 116, 58, 118, 49]"
    }
  ]
};

/** The IDL as Anchor prints it. */
export const paidOracleIdl = {
  "address": "MPPzbMPuK9VQsMT396wjUzL8k8mLQmVCY5pVVEYLAfF",
  "metadata": {
    "name": "paid_oracle",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Example: a program that pays a price provider by CPI and accepts attested prices only"
  },
  "instructions": [
    {
      "name": "accept_price",
      "docs": [
        "Anyone who carries an attested receipt. The feed takes the price and uses the receipt up."
      ],
      "discriminator": [
        110,
        25,
        28,
        175,
        22,
        221,
        155,
        107
      ],
      "accounts": [
        {
          "name": "feed",
          "writable": true
        },
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "pay_program",
          "address": "mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "AcceptPriceArgs"
            }
          }
        }
      ]
    },
    {
      "name": "initialize_feed",
      "docs": [
        "Owner. Nothing → a feed without a price. Its vault is the feed's associated token account, which anyone may",
        "make and fill."
      ],
      "discriminator": [
        167,
        251,
        140,
        58,
        66,
        138,
        187,
        95
      ],
      "accounts": [
        {
          "name": "owner",
          "writable": true,
          "signer": true
        },
        {
          "name": "feed",
          "writable": true
        },
        {
          "name": "provider"
        },
        {
          "name": "mint"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "InitializeFeedArgs"
            }
          }
        }
      ]
    },
    {
      "name": "request_price",
      "docs": [
        "Owner. The feed pays its provider the fee for one price."
      ],
      "discriminator": [
        143,
        129,
        96,
        41,
        15,
        255,
        177,
        51
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true,
          "relations": [
            "feed"
          ]
        },
        {
          "name": "rent_payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "feed"
        },
        {
          "name": "provider",
          "relations": [
            "feed"
          ]
        },
        {
          "name": "mint",
          "relations": [
            "feed"
          ]
        },
        {
          "name": "vault",
          "writable": true
        },
        {
          "name": "provider_token_account",
          "writable": true
        },
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "token_program"
        },
        {
          "name": "pay_program",
          "address": "mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "RequestPriceArgs"
            }
          }
        }
      ]
    },
    {
      "name": "withdraw",
      "docs": [
        "Owner. Moves tokens from the vault to the owner."
      ],
      "discriminator": [
        183,
        18,
        70,
        156,
        148,
        109,
        161,
        34
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true,
          "relations": [
            "feed"
          ]
        },
        {
          "name": "feed"
        },
        {
          "name": "mint",
          "docs": [
            "Any mint: what was sent to the feed by mistake can be taken back too."
          ]
        },
        {
          "name": "vault",
          "writable": true
        },
        {
          "name": "owner_token_account",
          "writable": true
        },
        {
          "name": "token_program"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "WithdrawArgs"
            }
          }
        }
      ]
    }
  ],
  "accounts": [
    {
      "name": "Feed",
      "discriminator": [
        69,
        191,
        16,
        227,
        132,
        187,
        84,
        227
      ]
    }
  ],
  "errors": [
    {
      "code": 9000,
      "name": "FeeMustBeNonZero",
      "msg": "the fee is zero"
    },
    {
      "code": 9001,
      "name": "MaxAgeMustBePositive",
      "msg": "the greatest age of a price is not positive"
    },
    {
      "code": 9002,
      "name": "NotTheOwner",
      "msg": "the account is not the feed's owner"
    },
    {
      "code": 9003,
      "name": "NotTheProvider",
      "msg": "the account is not the feed's provider"
    },
    {
      "code": 9004,
      "name": "NotTheMint",
      "msg": "the account is not the feed's mint"
    },
    {
      "code": 9005,
      "name": "PriceOutOfTime",
      "msg": "the price was published in the future or is older than the feed allows"
    },
    {
      "code": 9006,
      "name": "PriceNotNewer",
      "msg": "the feed has a price of that time or a later one"
    },
    {
      "code": 9007,
      "name": "PriceMustBePositive",
      "msg": "the price is not positive"
    },
    {
      "code": 9008,
      "name": "NotTheVault",
      "msg": "the token account does not belong to the feed"
    },
    {
      "code": 9009,
      "name": "NotTheOwnersTokenAccount",
      "msg": "the token account does not belong to the owner"
    }
  ],
  "types": [
    {
      "name": "AcceptPriceArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "nonce",
            "docs": [
              "That of the request."
            ],
            "type": "u64"
          },
          {
            "name": "price",
            "type": {
              "defined": {
                "name": "Price"
              }
            }
          }
        ]
      }
    },
    {
      "name": "Feed",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "owner",
            "docs": [
              "Asks for prices, and may empty the vault."
            ],
            "type": "pubkey"
          },
          {
            "name": "provider",
            "docs": [
              "Is paid, and attests prices."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "docs": [
              "What the provider is paid in."
            ],
            "type": "pubkey"
          },
          {
            "name": "symbol",
            "docs": [
              "What the price is of, such as `SOL/USD`, padded with zeros."
            ],
            "type": {
              "array": [
                "u8",
                16
              ]
            }
          },
          {
            "name": "fee",
            "docs": [
              "Base units paid for one price."
            ],
            "type": "u64"
          },
          {
            "name": "max_age",
            "docs": [
              "Seconds after which a price is too old to accept."
            ],
            "type": "i64"
          },
          {
            "name": "price",
            "type": {
              "defined": {
                "name": "Price"
              }
            }
          }
        ]
      }
    },
    {
      "name": "InitializeFeedArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "symbol",
            "docs": [
              "What the price is of, padded with zeros; part of the address."
            ],
            "type": {
              "array": [
                "u8",
                16
              ]
            }
          },
          {
            "name": "fee",
            "docs": [
              "Base units paid for one price; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "max_age",
            "docs": [
              "Seconds after which a price is too old to accept; above 0."
            ],
            "type": "i64"
          }
        ]
      }
    },
    {
      "name": "Price",
      "docs": [
        "`mantissa` × 10^`exponent`, as of `published_at` in unix seconds; all zero until the first."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "mantissa",
            "type": "i64"
          },
          {
            "name": "exponent",
            "type": "i32"
          },
          {
            "name": "published_at",
            "type": "i64"
          }
        ]
      }
    },
    {
      "name": "RequestPriceArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "nonce",
            "docs": [
              "Tells requests of the feed in one slot apart; part of the receipt's address."
            ],
            "type": "u64"
          },
          {
            "name": "pay_slot",
            "docs": [
              "A slot of the last 1,500; part of the receipt's address."
            ],
            "type": "u64"
          },
          {
            "name": "expires_at",
            "docs": [
              "Unix seconds until which the price must be attested and accepted."
            ],
            "type": "i64"
          }
        ]
      }
    },
    {
      "name": "WithdrawArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units."
            ],
            "type": "u64"
          }
        ]
      }
    }
  ],
  "constants": [
    {
      "name": "FEED_SEED",
      "docs": [
        "First seed of a feed: `[\"feed\", owner, symbol]`."
      ],
      "type": "bytes",
      "value": "[102, 101, 101, 100]"
    },
    {
      "name": "PRICE_DOMAIN",
      "docs": [
        "Separates the hash of a price from every other hash."
      ],
      "type": "bytes",
      "value": "[112, 97, 105, 100, 95, 111, 114, 97, 99, 108, 101, 58, 112, 114, 105, 99, 101, 58, 118, 49]"
    },
    {
      "name": "REQUEST_DOMAIN",
      "docs": [
        "Separates the hash of a request from every other hash."
      ],
      "type": "bytes",
      "value": "[112, 97, 105, 100, 95, 111, 114, 97, 99, 108, 101, 58, 114, 101, 113, 117, 101, 115, 116, 58, 118, 49]"
    }
  ]
};
