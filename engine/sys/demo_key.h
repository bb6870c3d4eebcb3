/* The demo key pair of simulated mode, which examples/keys/demo.pem holds for everybody: both sides of
 * a provider that signs with RSA know it there. Made for this, used nowhere else. */
#ifndef LUWAK_SYS_DEMO_KEY_H
#define LUWAK_SYS_DEMO_KEY_H

/* clang-format off */
#define DEMO_PRIVATE_KEY \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDF+h78EtARypTw\n" \
    "nW9yLFXQNejIfCL5tVPk3gDPV34lq2+RSzqzJkhwOuDxJVLoPX4TLLA8KnsJWWyn\n" \
    "vnqaY91AQ98ep7XFZjO2/0ounlWBTknUPXR7afdiQ03PmktQvmvVvdGq97gK4TqA\n" \
    "SYAWyToB4ospETjO1evPBk2mMNgqfoz3kPP6w5BhJgtnZt8ePcTIBDL2ChyT835N\n" \
    "jASE4yrUvVAYDGkX0U8G8aYwaBNEETiyql7J8QCOEG1M0Shz/kiD83KE/vuW/l5R\n" \
    "zhT3eGl+INQSneNuGsN12rTVT70a2xU3WEENFdVGAJKAXErm4pzhJpP6UKUmziLB\n" \
    "Gp/bU3InAgMBAAECggEAOkCf6FTSw0Fj9K6mUaZo85RBM+iO1AG+Nyv5egjI9eWN\n" \
    "NOe5VGhRzTAN6var/+jEFXlDO9jWDgixd2QNKCt1OQkfeCIp0nUBh3lzhucQyrTR\n" \
    "9XDFuuCRqWibVxgTzCTTjvdE37T3AsCF2aSG222HM3HIt6M5H2cDdQ1qQJnDqTDB\n" \
    "KYT+PX/AE4HqYl5TO0Fxf4FRAZV0Q5bu1d8WBHXZeWK48pB3Z6uuNWro6mvy4dgQ\n" \
    "J5EPSlQbMGSx9RSfoGNRnUCyizWUBgQXBI8uvJRW4WlZSI4sIodeuD03rHGdEcDW\n" \
    "RhuA4BWoLILdTzJgQiAA/Gy4n80DhHlYj6wc+mX9tQKBgQD6NH7/7ag4rqBN1oHV\n" \
    "9fO4DIKWt8F0CcuFq/tsKXgryeWBM3M/h8UR8y9fJyUYmPcwOtPGlR+8ZYgnXIGI\n" \
    "XcqoDSZjtKJ+jiF4PCtKpvTGDL3yCgVxX0pjDe+NAltqXx6D4LDiombPWv24fvXF\n" \
    "IZzskhT29nu0A0qAXaXtTZhx7QKBgQDKj/T+7IxsUUx24FVEL65zILjPY4yIKO+y\n" \
    "a0gtoJecGlONX8OIJkX5y47X6Iu0m/ESPLuB8dLRurRvu7f7aM9PShrE77ra29E4\n" \
    "8TLHtzTjXJEsID8ePxBmyI1wCNYTFdN3wCGhc2D3PwndDSkCuiaCbelyhrAC+zYX\n" \
    "UdmfivaB4wKBgFKqh49dYSghIhu1lL4xfe3ATGEpo0QIfHLUyMQKy4aENUzDx/8k\n" \
    "h4sPswYYM9x1pa4Msa251Xt0fFCs8qsweeWeOqHUq59urEZCcvc+RD8vNI7EmtnD\n" \
    "ZxtlHlGThsqVVMqzsR2gFKHL6WpMoD0ahvNurHiQJXzrXXEd/9Vwvr5dAoGAE8Jx\n" \
    "OsDmfdZ8aAhAKROhp9dkT869MbcUksoGU3Ub9P1Ycy0JTOm238QsngEwR6ECpi3I\n" \
    "eMeXMiBNY6zjKKIzvt9Sty1Pg/P3d9+HfZXwkdFA1BYdMh0iw3QC4A/smhYB9+eF\n" \
    "IFO5/MRoeOjEvGBeS1Dfee2Lk+7feuzgFsEehNMCgYAdsG+A0wYhApk/DQvak4fN\n" \
    "BwSbSZCqJUD9yeI0pncggmjcUoHczNtZ4LdIB4mDDYEv0jLBShcbS1kFt7sUf6HH\n" \
    "hnLIIqMeMKcZW+GfqJwS4P3bztRmus/GS4tMpC0fuS25EN2er5JX5X8dvXwdhv7Q\n" \
    "3hhJ9McIToyJBnJ6keKdYQ==\n" \
    "-----END PRIVATE KEY-----\n"

#define DEMO_PUBLIC_KEY \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxfoe/BLQEcqU8J1vcixV\n" \
    "0DXoyHwi+bVT5N4Az1d+JatvkUs6syZIcDrg8SVS6D1+EyywPCp7CVlsp756mmPd\n" \
    "QEPfHqe1xWYztv9KLp5VgU5J1D10e2n3YkNNz5pLUL5r1b3Rqve4CuE6gEmAFsk6\n" \
    "AeKLKRE4ztXrzwZNpjDYKn6M95Dz+sOQYSYLZ2bfHj3EyAQy9gock/N+TYwEhOMq\n" \
    "1L1QGAxpF9FPBvGmMGgTRBE4sqpeyfEAjhBtTNEoc/5Ig/NyhP77lv5eUc4U93hp\n" \
    "fiDUEp3jbhrDddq01U+9GtsVN1hBDRXVRgCSgFxK5uKc4SaT+lClJs4iwRqf21Ny\n" \
    "JwIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"
/* clang-format on */

#endif
