// The interface of mppsol_cpi. Generated from artifacts/mppsol_cpi.json by scripts/generate.ts; do not edit.

/** The IDL in camelCase, for `Program<…>`. Only a type: at run time `Program` converts the IDL below. */
export type MppsolCpi = {
  "address": "mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM",
  "metadata": {
    "name": "mppsolCpi",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Pay by CPI and get a receipt that any program can check"
  },
  "instructions": [
    {
      "name": "attest",
      "docs": [
        "The recipient, or anyone with its signed attestation in the Ed25519 instruction right before.",
        "Paid → attested, once."
      ],
      "discriminator": [
        83,
        148,
        120,
        119,
        144,
        139,
        117,
        160
      ],
      "accounts": [
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "recipient",
          "docs": [
            "Signs, or is left out."
          ],
          "signer": true,
          "optional": true
        },
        {
          "name": "instructionsSysvar",
          "docs": [
            "Needed when the recipient is left out."
          ],
          "optional": true,
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "attestArgs"
            }
          }
        }
      ]
    },
    {
      "name": "closeReceipt",
      "docs": [
        "Anyone. Consumed or expired → gone, after slot pay_slot + 1,500. Returns the rent to who paid it."
      ],
      "discriminator": [
        126,
        254,
        244,
        203,
        124,
        164,
        134,
        89
      ],
      "accounts": [
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "rentPayer",
          "writable": true,
          "relations": [
            "receipt"
          ]
        }
      ],
      "args": []
    },
    {
      "name": "consume",
      "docs": [
        "The consumer. Attested, or paid if no attestation is needed → consumed, once."
      ],
      "discriminator": [
        65,
        178,
        141,
        13,
        95,
        57,
        76,
        154
      ],
      "accounts": [
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "consumer",
          "signer": true,
          "relations": [
            "receipt"
          ]
        }
      ],
      "args": []
    },
    {
      "name": "pay",
      "docs": [
        "Payer and rent payer sign. Nothing → paid. Moves the amount to the recipient and writes the receipt."
      ],
      "discriminator": [
        119,
        18,
        216,
        65,
        192,
        117,
        122,
        220
      ],
      "accounts": [
        {
          "name": "payer",
          "signer": true
        },
        {
          "name": "rentPayer",
          "writable": true,
          "signer": true
        },
        {
          "name": "recipient"
        },
        {
          "name": "mint"
        },
        {
          "name": "receipt",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  114,
                  101,
                  99,
                  101,
                  105,
                  112,
                  116
                ]
              },
              {
                "kind": "account",
                "path": "payer"
              },
              {
                "kind": "arg",
                "path": "args.nonce"
              },
              {
                "kind": "arg",
                "path": "args.paySlot"
              }
            ]
          }
        },
        {
          "name": "payerTokenAccount",
          "writable": true
        },
        {
          "name": "recipientTokenAccount",
          "docs": [
            "Differs from the payer's, because the owners differ; `dup` keeps Anchor from answering first."
          ],
          "writable": true
        },
        {
          "name": "tokenProgram"
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
              "name": "payArgs"
            }
          }
        }
      ]
    },
    {
      "name": "payFromSession",
      "docs": [
        "A channel's payer or authorized signer, with a voucher in the Ed25519 instruction right before. Nothing → paid.",
        "The channel's watermark rises by the amount, and the receipt waits for the payee's attestation."
      ],
      "discriminator": [
        184,
        77,
        205,
        234,
        23,
        142,
        244,
        216
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true
        },
        {
          "name": "rentPayer",
          "writable": true,
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "receipt",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  114,
                  101,
                  99,
                  101,
                  105,
                  112,
                  116
                ]
              },
              {
                "kind": "account",
                "path": "channel"
              },
              {
                "kind": "arg",
                "path": "args.nonce"
              },
              {
                "kind": "arg",
                "path": "args.paySlot"
              }
            ]
          }
        },
        {
          "name": "instructionsSysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "sessionProgram",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
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
              "name": "payFromSessionArgs"
            }
          }
        }
      ]
    },
    {
      "name": "verify",
      "docs": [
        "Anyone. Answers by return data whether the receipt is good for the expected terms; changes nothing."
      ],
      "discriminator": [
        133,
        161,
        141,
        48,
        120,
        198,
        88,
        150
      ],
      "accounts": [
        {
          "name": "receipt"
        }
      ],
      "args": [
        {
          "name": "expected",
          "type": {
            "defined": {
              "name": "expected"
            }
          }
        }
      ],
      "returns": {
        "defined": {
          "name": "verdict"
        }
      }
    }
  ],
  "accounts": [
    {
      "name": "receipt",
      "discriminator": [
        39,
        154,
        73,
        106,
        80,
        102,
        145,
        153
      ]
    }
  ],
  "events": [
    {
      "name": "attested",
      "discriminator": [
        184,
        102,
        113,
        199,
        220,
        197,
        96,
        50
      ]
    },
    {
      "name": "consumed",
      "discriminator": [
        30,
        74,
        68,
        130,
        40,
        188,
        227,
        125
      ]
    },
    {
      "name": "paid",
      "discriminator": [
        240,
        193,
        17,
        238,
        238,
        210,
        129,
        235
      ]
    },
    {
      "name": "receiptClosed",
      "discriminator": [
        127,
        232,
        161,
        69,
        46,
        187,
        159,
        188
      ]
    }
  ],
  "errors": [
    {
      "code": 8000,
      "name": "amountMustBeNonZero",
      "msg": "an amount of zero was given"
    },
    {
      "code": 8001,
      "name": "requestHashMustBeNonZero",
      "msg": "the request hash is all zero"
    },
    {
      "code": 8002,
      "name": "consumerMustBeNamed",
      "msg": "no consumer is named"
    },
    {
      "code": 8003,
      "name": "payerRecipientMustDiffer",
      "msg": "payer and recipient are the same account"
    },
    {
      "code": 8004,
      "name": "expiryNotInTheFuture",
      "msg": "the expiry is not in the future"
    },
    {
      "code": 8005,
      "name": "expiryRequired",
      "msg": "a receipt that waits for an attestation must expire"
    },
    {
      "code": 8006,
      "name": "paySlotOutOfWindow",
      "msg": "pay_slot is in the future or more than 1,500 slots old"
    },
    {
      "code": 8007,
      "name": "receiptAlreadyExists",
      "msg": "something lives at the receipt's address already"
    },
    {
      "code": 8020,
      "name": "mintProgramMismatch",
      "msg": "the mint does not belong to the given token program"
    },
    {
      "code": 8021,
      "name": "mintExtensionNotAllowed",
      "msg": "the mint carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 8022,
      "name": "payerTokenAccountMismatch",
      "msg": "the payer's token account is not its associated token account"
    },
    {
      "code": 8023,
      "name": "recipientTokenAccountMismatch",
      "msg": "the recipient's token account is not its associated token account"
    },
    {
      "code": 8024,
      "name": "accountExtensionNotAllowed",
      "msg": "a token account carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 8025,
      "name": "amountNotMoved",
      "msg": "the balances did not change by the amount"
    },
    {
      "code": 8040,
      "name": "resultHashMustBeNonZero",
      "msg": "the result hash is all zero"
    },
    {
      "code": 8041,
      "name": "notTheRecipient",
      "msg": "the account is not the receipt's recipient"
    },
    {
      "code": 8042,
      "name": "noAttestationProof",
      "msg": "neither the recipient nor the instructions sysvar was given"
    },
    {
      "code": 8043,
      "name": "invalidInstructionsSysvar",
      "msg": "the instructions sysvar account is not the real one"
    },
    {
      "code": 8044,
      "name": "missingEd25519Verification",
      "msg": "the instruction before this one is not an Ed25519 verification"
    },
    {
      "code": 8045,
      "name": "malformedEd25519Instruction",
      "msg": "the Ed25519 instruction does not have the canonical layout"
    },
    {
      "code": 8046,
      "name": "attestationSignerMismatch",
      "msg": "the attestation is signed by another key than the receipt's recipient"
    },
    {
      "code": 8047,
      "name": "attestationMessageMismatch",
      "msg": "the signed message is not the attestation of this result for this receipt"
    },
    {
      "code": 8048,
      "name": "receiptAlreadyAttested",
      "msg": "the receipt is attested already"
    },
    {
      "code": 8060,
      "name": "receiptExpired",
      "msg": "the receipt has expired"
    },
    {
      "code": 8061,
      "name": "receiptConsumed",
      "msg": "the receipt is consumed"
    },
    {
      "code": 8062,
      "name": "receiptNotAttested",
      "msg": "the receipt is not attested"
    },
    {
      "code": 8063,
      "name": "notTheConsumer",
      "msg": "the account is not the receipt's consumer"
    },
    {
      "code": 8064,
      "name": "receiptStillLive",
      "msg": "the receipt is neither consumed nor expired"
    },
    {
      "code": 8065,
      "name": "receiptCloseTooEarly",
      "msg": "the receipt can be closed only after slot pay_slot + 1,500"
    },
    {
      "code": 8066,
      "name": "notTheRentPayer",
      "msg": "the account is not the receipt's rent payer"
    },
    {
      "code": 8080,
      "name": "payerMismatch",
      "msg": "the receipt was paid by another payer"
    },
    {
      "code": 8081,
      "name": "recipientMismatch",
      "msg": "the receipt was paid to another recipient"
    },
    {
      "code": 8082,
      "name": "mintMismatch",
      "msg": "the receipt was paid in another mint"
    },
    {
      "code": 8083,
      "name": "amountMismatch",
      "msg": "the receipt is for another amount"
    },
    {
      "code": 8084,
      "name": "requestHashMismatch",
      "msg": "the receipt is for another request"
    },
    {
      "code": 8085,
      "name": "consumerMismatch",
      "msg": "the receipt names another consumer"
    },
    {
      "code": 8086,
      "name": "resultHashMismatch",
      "msg": "the receipt attests another result"
    },
    {
      "code": 8100,
      "name": "notAReceipt",
      "msg": "the account is not a receipt of this program"
    },
    {
      "code": 8101,
      "name": "unsupportedReceiptVersion",
      "msg": "the receipt has a layout version that this program does not know"
    },
    {
      "code": 8102,
      "name": "notAVerdict",
      "msg": "the return data is not this program's verdict on this receipt"
    },
    {
      "code": 8120,
      "name": "unsupportedChannelVersion",
      "msg": "the channel has a layout version that this program does not know"
    },
    {
      "code": 8121,
      "name": "notTheChannelsAuthority",
      "msg": "the signer is neither the channel's payer nor its authorized signer"
    },
    {
      "code": 8122,
      "name": "channelHasSplits",
      "msg": "the channel has splits: its payee does not get the whole amount"
    },
    {
      "code": 8123,
      "name": "debitMismatch",
      "msg": "the voucher raised the channel's watermark by another amount"
    }
  ],
  "types": [
    {
      "name": "attestArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "resultHash",
            "docs": [
              "What the recipient delivered, hashed by rules of payer and recipient; not all zero."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ]
      }
    },
    {
      "name": "attested",
      "docs": [
        "The recipient bound a result to a receipt."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "resultHash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ]
      }
    },
    {
      "name": "channel",
      "docs": [
        "One payment channel. Field order is the standard's byte layout; amounts are base units, times unix seconds.",
        "",
        "Always: `payout_watermark <= settled <= deposit`."
      ],
      "serialization": "bytemuckunsafe",
      "repr": {
        "kind": "c",
        "packed": true
      },
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "version",
            "docs": [
              "`CHANNEL_VERSION`."
            ],
            "type": "u8"
          },
          {
            "name": "bump",
            "docs": [
              "Canonical bump of the channel's address."
            ],
            "type": "u8"
          },
          {
            "name": "status",
            "docs": [
              "A `Status`."
            ],
            "type": "u8"
          },
          {
            "name": "salt",
            "docs": [
              "Chosen by the payer; a seed."
            ],
            "type": "u64"
          },
          {
            "name": "deposit",
            "docs": [
              "All that was ever deposited and not refunded by `rearm`."
            ],
            "type": "u64"
          },
          {
            "name": "settled",
            "docs": [
              "Cumulative amount that vouchers have authorized."
            ],
            "type": "u64"
          },
          {
            "name": "payoutWatermark",
            "docs": [
              "The part of `settled` that was paid out."
            ],
            "type": "u64"
          },
          {
            "name": "closureStartedAt",
            "docs": [
              "When the payer asked to leave; 0 unless closing."
            ],
            "type": "i64"
          },
          {
            "name": "payerWithdrawnAt",
            "docs": [
              "When the payer's refund was paid; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "gracePeriod",
            "docs": [
              "Seconds from `revoke` to `seal`; never 0."
            ],
            "type": "u32"
          },
          {
            "name": "distributionHash",
            "docs": [
              "SHA-256 of the splits."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "payer",
            "docs": [
              "Deposits, and gets the refund."
            ],
            "type": "pubkey"
          },
          {
            "name": "payee",
            "docs": [
              "Gets what the splits leave over."
            ],
            "type": "pubkey"
          },
          {
            "name": "authorizedSigner",
            "docs": [
              "Signs vouchers."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "rentPayer",
            "docs": [
              "Paid the rent, and gets it back."
            ],
            "type": "pubkey"
          },
          {
            "name": "openSlot",
            "docs": [
              "Chosen by the payer, checked at `open`; a seed, so that no address holds two channels."
            ],
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "consumed",
      "docs": [
        "A receipt was used."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "consumer",
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "expected",
      "docs": [
        "The terms that somebody expects of a receipt."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "payer",
            "docs": [
              "None accepts any payer."
            ],
            "type": {
              "option": "pubkey"
            }
          },
          {
            "name": "recipient",
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "docs": [
              "Base units, exactly."
            ],
            "type": "u64"
          },
          {
            "name": "requestHash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "consumer",
            "docs": [
              "Who may consume it: whoever relies on a receipt should be the one that can use it up."
            ],
            "type": "pubkey"
          },
          {
            "name": "result",
            "type": {
              "defined": {
                "name": "expectedResult"
              }
            }
          }
        ]
      }
    },
    {
      "name": "expectedResult",
      "docs": [
        "What the recipient must have attested."
      ],
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "asPaid"
          },
          {
            "name": "attested"
          },
          {
            "name": "hash",
            "fields": [
              {
                "array": [
                  "u8",
                  32
                ]
              }
            ]
          }
        ]
      }
    },
    {
      "name": "paid",
      "docs": [
        "A payment was made and its receipt written."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "payer",
            "type": "pubkey"
          },
          {
            "name": "recipient",
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "docs": [
              "Base units."
            ],
            "type": "u64"
          },
          {
            "name": "requestHash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "consumer",
            "type": "pubkey"
          },
          {
            "name": "channel",
            "docs": [
              "Zero unless the payment drew on a channel."
            ],
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "payArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "requestHash",
            "docs": [
              "What the payment is for, hashed by rules of payer and recipient; not all zero."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "nonce",
            "docs": [
              "Tells payments of one payer in one slot apart; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "paySlot",
            "docs": [
              "A slot of the last 1,500; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "expiresAt",
            "docs": [
              "Unix seconds; the receipt counts while now < expires_at. 0 never expires."
            ],
            "type": "i64"
          },
          {
            "name": "consumer",
            "docs": [
              "Who alone may consume the receipt."
            ],
            "type": "pubkey"
          },
          {
            "name": "needsAttestation",
            "docs": [
              "Whether the receipt counts only once the recipient has attested a result."
            ],
            "type": "bool"
          }
        ]
      }
    },
    {
      "name": "payFromSessionArgs",
      "docs": [
        "As `PayArgs`. A payment from a channel always needs an attestation."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units by which the voucher must raise the channel's watermark; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "requestHash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "nonce",
            "docs": [
              "Tells payments from one channel in one slot apart; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "paySlot",
            "type": "u64"
          },
          {
            "name": "expiresAt",
            "docs": [
              "Unix seconds; not 0."
            ],
            "type": "i64"
          },
          {
            "name": "consumer",
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "receipt",
      "docs": [
        "Proof that `payer` paid `amount` to `recipient` for one request. Field order is the byte layout; amounts are base",
        "units, times unix seconds."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "version",
            "docs": [
              "`RECEIPT_VERSION`."
            ],
            "type": "u8"
          },
          {
            "name": "bump",
            "docs": [
              "Canonical bump of the receipt's address."
            ],
            "type": "u8"
          },
          {
            "name": "status",
            "type": {
              "defined": {
                "name": "status"
              }
            }
          },
          {
            "name": "needsAttestation",
            "docs": [
              "Whether the receipt counts only once attested."
            ],
            "type": "bool"
          },
          {
            "name": "nonce",
            "docs": [
              "Chosen by the payer; a seed."
            ],
            "type": "u64"
          },
          {
            "name": "paySlot",
            "docs": [
              "Chosen by the payer, checked when paid; a seed, so that no address holds two receipts."
            ],
            "type": "u64"
          },
          {
            "name": "slot",
            "docs": [
              "Slot in which the payment landed."
            ],
            "type": "u64"
          },
          {
            "name": "paidAt",
            "docs": [
              "When the payment landed."
            ],
            "type": "i64"
          },
          {
            "name": "expiresAt",
            "docs": [
              "The receipt counts while now < expires_at; 0 never expires."
            ],
            "type": "i64"
          },
          {
            "name": "attestedAt",
            "docs": [
              "When the result was attested; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "consumedAt",
            "docs": [
              "When the receipt was consumed; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "payer",
            "type": "pubkey"
          },
          {
            "name": "recipient",
            "docs": [
              "Owner of the token account that was paid: never a token account."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "consumer",
            "docs": [
              "Alone may consume."
            ],
            "type": "pubkey"
          },
          {
            "name": "rentPayer",
            "docs": [
              "Paid the rent, and gets it back."
            ],
            "type": "pubkey"
          },
          {
            "name": "channel",
            "docs": [
              "The channel that the payment drew on; zero if tokens moved directly."
            ],
            "type": "pubkey"
          },
          {
            "name": "requestHash",
            "docs": [
              "What was paid for."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "resultHash",
            "docs": [
              "What the recipient says it delivered; zero until attested."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ]
      }
    },
    {
      "name": "receiptClosed",
      "docs": [
        "A receipt is gone and its rent returned."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "rentPayer",
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "status",
      "docs": [
        "Where a receipt stands. Stored as one byte, from 0 in this order."
      ],
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "paid"
          },
          {
            "name": "attested"
          },
          {
            "name": "consumed"
          }
        ]
      }
    },
    {
      "name": "verdict",
      "docs": [
        "A receipt matched the terms that `verify` was asked about."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "tag",
            "docs": [
              "`VERDICT_TAG`."
            ],
            "type": {
              "array": [
                "u8",
                4
              ]
            }
          },
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "attested",
            "type": "bool"
          },
          {
            "name": "resultHash",
            "docs": [
              "Zero unless attested."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "expiresAt",
            "docs": [
              "Unix seconds; 0 never expires."
            ],
            "type": "i64"
          }
        ]
      }
    }
  ],
  "constants": [
    {
      "name": "attestationMagic",
      "docs": [
        "First bytes of an attestation: the tag `R` and the format version. A voucher begins `V`, an off-chain message",
        "0xff, a versioned transaction 0x80 or more, and no transaction has 82 signers."
      ],
      "type": {
        "array": [
          "u8",
          2
        ]
      },
      "value": "[82, 1]"
    },
    {
      "name": "paySlotWindow",
      "docs": [
        "Slots between the `pay_slot` a payer chose and the last slot in which the payment may land. The address of a",
        "receipt can be freed only after the same window has passed, so no address ever holds two receipts.",
        "",
        "May only ever be lowered. Raising it would let `pay` reach addresses that were freed under the smaller window."
      ],
      "type": "u64",
      "value": "1500"
    },
    {
      "name": "receiptSeed",
      "docs": [
        "First seed of a receipt: `[\"receipt\", source, nonce LE, pay_slot LE]`. The source is the payer, or the channel",
        "when the payment draws on one."
      ],
      "type": "bytes",
      "value": "[114, 101, 99, 101, 105, 112, 116]"
    },
    {
      "name": "verdictTag",
      "docs": [
        "First bytes of what `verify` returns."
      ],
      "type": {
        "array": [
          "u8",
          4
        ]
      },
      "value": "[109, 112, 118, 49]"
    }
  ]
};

/** The IDL as Anchor prints it. */
export const mppsolCpiIdl = {
  "address": "mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM",
  "metadata": {
    "name": "mppsol_cpi",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Pay by CPI and get a receipt that any program can check"
  },
  "instructions": [
    {
      "name": "attest",
      "docs": [
        "The recipient, or anyone with its signed attestation in the Ed25519 instruction right before.",
        "Paid → attested, once."
      ],
      "discriminator": [
        83,
        148,
        120,
        119,
        144,
        139,
        117,
        160
      ],
      "accounts": [
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "recipient",
          "docs": [
            "Signs, or is left out."
          ],
          "signer": true,
          "optional": true
        },
        {
          "name": "instructions_sysvar",
          "docs": [
            "Needed when the recipient is left out."
          ],
          "optional": true,
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "args",
          "type": {
            "defined": {
              "name": "AttestArgs"
            }
          }
        }
      ]
    },
    {
      "name": "close_receipt",
      "docs": [
        "Anyone. Consumed or expired → gone, after slot pay_slot + 1,500. Returns the rent to who paid it."
      ],
      "discriminator": [
        126,
        254,
        244,
        203,
        124,
        164,
        134,
        89
      ],
      "accounts": [
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "relations": [
            "receipt"
          ]
        }
      ],
      "args": []
    },
    {
      "name": "consume",
      "docs": [
        "The consumer. Attested, or paid if no attestation is needed → consumed, once."
      ],
      "discriminator": [
        65,
        178,
        141,
        13,
        95,
        57,
        76,
        154
      ],
      "accounts": [
        {
          "name": "receipt",
          "writable": true
        },
        {
          "name": "consumer",
          "signer": true,
          "relations": [
            "receipt"
          ]
        }
      ],
      "args": []
    },
    {
      "name": "pay",
      "docs": [
        "Payer and rent payer sign. Nothing → paid. Moves the amount to the recipient and writes the receipt."
      ],
      "discriminator": [
        119,
        18,
        216,
        65,
        192,
        117,
        122,
        220
      ],
      "accounts": [
        {
          "name": "payer",
          "signer": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "recipient"
        },
        {
          "name": "mint"
        },
        {
          "name": "receipt",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  114,
                  101,
                  99,
                  101,
                  105,
                  112,
                  116
                ]
              },
              {
                "kind": "account",
                "path": "payer"
              },
              {
                "kind": "arg",
                "path": "args.nonce"
              },
              {
                "kind": "arg",
                "path": "args.pay_slot"
              }
            ]
          }
        },
        {
          "name": "payer_token_account",
          "writable": true
        },
        {
          "name": "recipient_token_account",
          "docs": [
            "Differs from the payer's, because the owners differ; `dup` keeps Anchor from answering first."
          ],
          "writable": true
        },
        {
          "name": "token_program"
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
              "name": "PayArgs"
            }
          }
        }
      ]
    },
    {
      "name": "pay_from_session",
      "docs": [
        "A channel's payer or authorized signer, with a voucher in the Ed25519 instruction right before. Nothing → paid.",
        "The channel's watermark rises by the amount, and the receipt waits for the payee's attestation."
      ],
      "discriminator": [
        184,
        77,
        205,
        234,
        23,
        142,
        244,
        216
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "channel",
          "writable": true
        },
        {
          "name": "receipt",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  114,
                  101,
                  99,
                  101,
                  105,
                  112,
                  116
                ]
              },
              {
                "kind": "account",
                "path": "channel"
              },
              {
                "kind": "arg",
                "path": "args.nonce"
              },
              {
                "kind": "arg",
                "path": "args.pay_slot"
              }
            ]
          }
        },
        {
          "name": "instructions_sysvar",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "session_program",
          "address": "mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om"
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
              "name": "PayFromSessionArgs"
            }
          }
        }
      ]
    },
    {
      "name": "verify",
      "docs": [
        "Anyone. Answers by return data whether the receipt is good for the expected terms; changes nothing."
      ],
      "discriminator": [
        133,
        161,
        141,
        48,
        120,
        198,
        88,
        150
      ],
      "accounts": [
        {
          "name": "receipt"
        }
      ],
      "args": [
        {
          "name": "expected",
          "type": {
            "defined": {
              "name": "Expected"
            }
          }
        }
      ],
      "returns": {
        "defined": {
          "name": "Verdict"
        }
      }
    }
  ],
  "accounts": [
    {
      "name": "Receipt",
      "discriminator": [
        39,
        154,
        73,
        106,
        80,
        102,
        145,
        153
      ]
    }
  ],
  "events": [
    {
      "name": "Attested",
      "discriminator": [
        184,
        102,
        113,
        199,
        220,
        197,
        96,
        50
      ]
    },
    {
      "name": "Consumed",
      "discriminator": [
        30,
        74,
        68,
        130,
        40,
        188,
        227,
        125
      ]
    },
    {
      "name": "Paid",
      "discriminator": [
        240,
        193,
        17,
        238,
        238,
        210,
        129,
        235
      ]
    },
    {
      "name": "ReceiptClosed",
      "discriminator": [
        127,
        232,
        161,
        69,
        46,
        187,
        159,
        188
      ]
    }
  ],
  "errors": [
    {
      "code": 8000,
      "name": "AmountMustBeNonZero",
      "msg": "an amount of zero was given"
    },
    {
      "code": 8001,
      "name": "RequestHashMustBeNonZero",
      "msg": "the request hash is all zero"
    },
    {
      "code": 8002,
      "name": "ConsumerMustBeNamed",
      "msg": "no consumer is named"
    },
    {
      "code": 8003,
      "name": "PayerRecipientMustDiffer",
      "msg": "payer and recipient are the same account"
    },
    {
      "code": 8004,
      "name": "ExpiryNotInTheFuture",
      "msg": "the expiry is not in the future"
    },
    {
      "code": 8005,
      "name": "ExpiryRequired",
      "msg": "a receipt that waits for an attestation must expire"
    },
    {
      "code": 8006,
      "name": "PaySlotOutOfWindow",
      "msg": "pay_slot is in the future or more than 1,500 slots old"
    },
    {
      "code": 8007,
      "name": "ReceiptAlreadyExists",
      "msg": "something lives at the receipt's address already"
    },
    {
      "code": 8020,
      "name": "MintProgramMismatch",
      "msg": "the mint does not belong to the given token program"
    },
    {
      "code": 8021,
      "name": "MintExtensionNotAllowed",
      "msg": "the mint carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 8022,
      "name": "PayerTokenAccountMismatch",
      "msg": "the payer's token account is not its associated token account"
    },
    {
      "code": 8023,
      "name": "RecipientTokenAccountMismatch",
      "msg": "the recipient's token account is not its associated token account"
    },
    {
      "code": 8024,
      "name": "AccountExtensionNotAllowed",
      "msg": "a token account carries a Token-2022 extension that is not allowed"
    },
    {
      "code": 8025,
      "name": "AmountNotMoved",
      "msg": "the balances did not change by the amount"
    },
    {
      "code": 8040,
      "name": "ResultHashMustBeNonZero",
      "msg": "the result hash is all zero"
    },
    {
      "code": 8041,
      "name": "NotTheRecipient",
      "msg": "the account is not the receipt's recipient"
    },
    {
      "code": 8042,
      "name": "NoAttestationProof",
      "msg": "neither the recipient nor the instructions sysvar was given"
    },
    {
      "code": 8043,
      "name": "InvalidInstructionsSysvar",
      "msg": "the instructions sysvar account is not the real one"
    },
    {
      "code": 8044,
      "name": "MissingEd25519Verification",
      "msg": "the instruction before this one is not an Ed25519 verification"
    },
    {
      "code": 8045,
      "name": "MalformedEd25519Instruction",
      "msg": "the Ed25519 instruction does not have the canonical layout"
    },
    {
      "code": 8046,
      "name": "AttestationSignerMismatch",
      "msg": "the attestation is signed by another key than the receipt's recipient"
    },
    {
      "code": 8047,
      "name": "AttestationMessageMismatch",
      "msg": "the signed message is not the attestation of this result for this receipt"
    },
    {
      "code": 8048,
      "name": "ReceiptAlreadyAttested",
      "msg": "the receipt is attested already"
    },
    {
      "code": 8060,
      "name": "ReceiptExpired",
      "msg": "the receipt has expired"
    },
    {
      "code": 8061,
      "name": "ReceiptConsumed",
      "msg": "the receipt is consumed"
    },
    {
      "code": 8062,
      "name": "ReceiptNotAttested",
      "msg": "the receipt is not attested"
    },
    {
      "code": 8063,
      "name": "NotTheConsumer",
      "msg": "the account is not the receipt's consumer"
    },
    {
      "code": 8064,
      "name": "ReceiptStillLive",
      "msg": "the receipt is neither consumed nor expired"
    },
    {
      "code": 8065,
      "name": "ReceiptCloseTooEarly",
      "msg": "the receipt can be closed only after slot pay_slot + 1,500"
    },
    {
      "code": 8066,
      "name": "NotTheRentPayer",
      "msg": "the account is not the receipt's rent payer"
    },
    {
      "code": 8080,
      "name": "PayerMismatch",
      "msg": "the receipt was paid by another payer"
    },
    {
      "code": 8081,
      "name": "RecipientMismatch",
      "msg": "the receipt was paid to another recipient"
    },
    {
      "code": 8082,
      "name": "MintMismatch",
      "msg": "the receipt was paid in another mint"
    },
    {
      "code": 8083,
      "name": "AmountMismatch",
      "msg": "the receipt is for another amount"
    },
    {
      "code": 8084,
      "name": "RequestHashMismatch",
      "msg": "the receipt is for another request"
    },
    {
      "code": 8085,
      "name": "ConsumerMismatch",
      "msg": "the receipt names another consumer"
    },
    {
      "code": 8086,
      "name": "ResultHashMismatch",
      "msg": "the receipt attests another result"
    },
    {
      "code": 8100,
      "name": "NotAReceipt",
      "msg": "the account is not a receipt of this program"
    },
    {
      "code": 8101,
      "name": "UnsupportedReceiptVersion",
      "msg": "the receipt has a layout version that this program does not know"
    },
    {
      "code": 8102,
      "name": "NotAVerdict",
      "msg": "the return data is not this program's verdict on this receipt"
    },
    {
      "code": 8120,
      "name": "UnsupportedChannelVersion",
      "msg": "the channel has a layout version that this program does not know"
    },
    {
      "code": 8121,
      "name": "NotTheChannelsAuthority",
      "msg": "the signer is neither the channel's payer nor its authorized signer"
    },
    {
      "code": 8122,
      "name": "ChannelHasSplits",
      "msg": "the channel has splits: its payee does not get the whole amount"
    },
    {
      "code": 8123,
      "name": "DebitMismatch",
      "msg": "the voucher raised the channel's watermark by another amount"
    }
  ],
  "types": [
    {
      "name": "AttestArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "result_hash",
            "docs": [
              "What the recipient delivered, hashed by rules of payer and recipient; not all zero."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ]
      }
    },
    {
      "name": "Attested",
      "docs": [
        "The recipient bound a result to a receipt."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "result_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ]
      }
    },
    {
      "name": "Channel",
      "docs": [
        "One payment channel. Field order is the standard's byte layout; amounts are base units, times unix seconds.",
        "",
        "Always: `payout_watermark <= settled <= deposit`."
      ],
      "serialization": "bytemuckunsafe",
      "repr": {
        "kind": "c",
        "packed": true
      },
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "version",
            "docs": [
              "`CHANNEL_VERSION`."
            ],
            "type": "u8"
          },
          {
            "name": "bump",
            "docs": [
              "Canonical bump of the channel's address."
            ],
            "type": "u8"
          },
          {
            "name": "status",
            "docs": [
              "A `Status`."
            ],
            "type": "u8"
          },
          {
            "name": "salt",
            "docs": [
              "Chosen by the payer; a seed."
            ],
            "type": "u64"
          },
          {
            "name": "deposit",
            "docs": [
              "All that was ever deposited and not refunded by `rearm`."
            ],
            "type": "u64"
          },
          {
            "name": "settled",
            "docs": [
              "Cumulative amount that vouchers have authorized."
            ],
            "type": "u64"
          },
          {
            "name": "payout_watermark",
            "docs": [
              "The part of `settled` that was paid out."
            ],
            "type": "u64"
          },
          {
            "name": "closure_started_at",
            "docs": [
              "When the payer asked to leave; 0 unless closing."
            ],
            "type": "i64"
          },
          {
            "name": "payer_withdrawn_at",
            "docs": [
              "When the payer's refund was paid; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "grace_period",
            "docs": [
              "Seconds from `revoke` to `seal`; never 0."
            ],
            "type": "u32"
          },
          {
            "name": "distribution_hash",
            "docs": [
              "SHA-256 of the splits."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "payer",
            "docs": [
              "Deposits, and gets the refund."
            ],
            "type": "pubkey"
          },
          {
            "name": "payee",
            "docs": [
              "Gets what the splits leave over."
            ],
            "type": "pubkey"
          },
          {
            "name": "authorized_signer",
            "docs": [
              "Signs vouchers."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "rent_payer",
            "docs": [
              "Paid the rent, and gets it back."
            ],
            "type": "pubkey"
          },
          {
            "name": "open_slot",
            "docs": [
              "Chosen by the payer, checked at `open`; a seed, so that no address holds two channels."
            ],
            "type": "u64"
          }
        ]
      }
    },
    {
      "name": "Consumed",
      "docs": [
        "A receipt was used."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "consumer",
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "Expected",
      "docs": [
        "The terms that somebody expects of a receipt."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "payer",
            "docs": [
              "None accepts any payer."
            ],
            "type": {
              "option": "pubkey"
            }
          },
          {
            "name": "recipient",
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "docs": [
              "Base units, exactly."
            ],
            "type": "u64"
          },
          {
            "name": "request_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "consumer",
            "docs": [
              "Who may consume it: whoever relies on a receipt should be the one that can use it up."
            ],
            "type": "pubkey"
          },
          {
            "name": "result",
            "type": {
              "defined": {
                "name": "ExpectedResult"
              }
            }
          }
        ]
      }
    },
    {
      "name": "ExpectedResult",
      "docs": [
        "What the recipient must have attested."
      ],
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "AsPaid"
          },
          {
            "name": "Attested"
          },
          {
            "name": "Hash",
            "fields": [
              {
                "array": [
                  "u8",
                  32
                ]
              }
            ]
          }
        ]
      }
    },
    {
      "name": "Paid",
      "docs": [
        "A payment was made and its receipt written."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "payer",
            "type": "pubkey"
          },
          {
            "name": "recipient",
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "docs": [
              "Base units."
            ],
            "type": "u64"
          },
          {
            "name": "request_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "consumer",
            "type": "pubkey"
          },
          {
            "name": "channel",
            "docs": [
              "Zero unless the payment drew on a channel."
            ],
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "PayArgs",
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "request_hash",
            "docs": [
              "What the payment is for, hashed by rules of payer and recipient; not all zero."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "nonce",
            "docs": [
              "Tells payments of one payer in one slot apart; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "pay_slot",
            "docs": [
              "A slot of the last 1,500; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "expires_at",
            "docs": [
              "Unix seconds; the receipt counts while now < expires_at. 0 never expires."
            ],
            "type": "i64"
          },
          {
            "name": "consumer",
            "docs": [
              "Who alone may consume the receipt."
            ],
            "type": "pubkey"
          },
          {
            "name": "needs_attestation",
            "docs": [
              "Whether the receipt counts only once the recipient has attested a result."
            ],
            "type": "bool"
          }
        ]
      }
    },
    {
      "name": "PayFromSessionArgs",
      "docs": [
        "As `PayArgs`. A payment from a channel always needs an attestation."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "amount",
            "docs": [
              "Base units by which the voucher must raise the channel's watermark; not 0."
            ],
            "type": "u64"
          },
          {
            "name": "request_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "nonce",
            "docs": [
              "Tells payments from one channel in one slot apart; part of the address."
            ],
            "type": "u64"
          },
          {
            "name": "pay_slot",
            "type": "u64"
          },
          {
            "name": "expires_at",
            "docs": [
              "Unix seconds; not 0."
            ],
            "type": "i64"
          },
          {
            "name": "consumer",
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "Receipt",
      "docs": [
        "Proof that `payer` paid `amount` to `recipient` for one request. Field order is the byte layout; amounts are base",
        "units, times unix seconds."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "version",
            "docs": [
              "`RECEIPT_VERSION`."
            ],
            "type": "u8"
          },
          {
            "name": "bump",
            "docs": [
              "Canonical bump of the receipt's address."
            ],
            "type": "u8"
          },
          {
            "name": "status",
            "type": {
              "defined": {
                "name": "Status"
              }
            }
          },
          {
            "name": "needs_attestation",
            "docs": [
              "Whether the receipt counts only once attested."
            ],
            "type": "bool"
          },
          {
            "name": "nonce",
            "docs": [
              "Chosen by the payer; a seed."
            ],
            "type": "u64"
          },
          {
            "name": "pay_slot",
            "docs": [
              "Chosen by the payer, checked when paid; a seed, so that no address holds two receipts."
            ],
            "type": "u64"
          },
          {
            "name": "slot",
            "docs": [
              "Slot in which the payment landed."
            ],
            "type": "u64"
          },
          {
            "name": "paid_at",
            "docs": [
              "When the payment landed."
            ],
            "type": "i64"
          },
          {
            "name": "expires_at",
            "docs": [
              "The receipt counts while now < expires_at; 0 never expires."
            ],
            "type": "i64"
          },
          {
            "name": "attested_at",
            "docs": [
              "When the result was attested; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "consumed_at",
            "docs": [
              "When the receipt was consumed; 0 until then."
            ],
            "type": "i64"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "payer",
            "type": "pubkey"
          },
          {
            "name": "recipient",
            "docs": [
              "Owner of the token account that was paid: never a token account."
            ],
            "type": "pubkey"
          },
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "consumer",
            "docs": [
              "Alone may consume."
            ],
            "type": "pubkey"
          },
          {
            "name": "rent_payer",
            "docs": [
              "Paid the rent, and gets it back."
            ],
            "type": "pubkey"
          },
          {
            "name": "channel",
            "docs": [
              "The channel that the payment drew on; zero if tokens moved directly."
            ],
            "type": "pubkey"
          },
          {
            "name": "request_hash",
            "docs": [
              "What was paid for."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "result_hash",
            "docs": [
              "What the recipient says it delivered; zero until attested."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ]
      }
    },
    {
      "name": "ReceiptClosed",
      "docs": [
        "A receipt is gone and its rent returned."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "rent_payer",
            "type": "pubkey"
          }
        ]
      }
    },
    {
      "name": "Status",
      "docs": [
        "Where a receipt stands. Stored as one byte, from 0 in this order."
      ],
      "type": {
        "kind": "enum",
        "variants": [
          {
            "name": "Paid"
          },
          {
            "name": "Attested"
          },
          {
            "name": "Consumed"
          }
        ]
      }
    },
    {
      "name": "Verdict",
      "docs": [
        "A receipt matched the terms that `verify` was asked about."
      ],
      "type": {
        "kind": "struct",
        "fields": [
          {
            "name": "tag",
            "docs": [
              "`VERDICT_TAG`."
            ],
            "type": {
              "array": [
                "u8",
                4
              ]
            }
          },
          {
            "name": "receipt",
            "type": "pubkey"
          },
          {
            "name": "attested",
            "type": "bool"
          },
          {
            "name": "result_hash",
            "docs": [
              "Zero unless attested."
            ],
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "expires_at",
            "docs": [
              "Unix seconds; 0 never expires."
            ],
            "type": "i64"
          }
        ]
      }
    }
  ],
  "constants": [
    {
      "name": "ATTESTATION_MAGIC",
      "docs": [
        "First bytes of an attestation: the tag `R` and the format version. A voucher begins `V`, an off-chain message",
        "0xff, a versioned transaction 0x80 or more, and no transaction has 82 signers."
      ],
      "type": {
        "array": [
          "u8",
          2
        ]
      },
      "value": "[82, 1]"
    },
    {
      "name": "PAY_SLOT_WINDOW",
      "docs": [
        "Slots between the `pay_slot` a payer chose and the last slot in which the payment may land. The address of a",
        "receipt can be freed only after the same window has passed, so no address ever holds two receipts.",
        "",
        "May only ever be lowered. Raising it would let `pay` reach addresses that were freed under the smaller window."
      ],
      "type": "u64",
      "value": "1500"
    },
    {
      "name": "RECEIPT_SEED",
      "docs": [
        "First seed of a receipt: `[\"receipt\", source, nonce LE, pay_slot LE]`. The source is the payer, or the channel",
        "when the payment draws on one."
      ],
      "type": "bytes",
      "value": "[114, 101, 99, 101, 105, 112, 116]"
    },
    {
      "name": "VERDICT_TAG",
      "docs": [
        "First bytes of what `verify` returns."
      ],
      "type": {
        "array": [
          "u8",
          4
        ]
      },
      "value": "[109, 112, 118, 49]"
    }
  ]
};
