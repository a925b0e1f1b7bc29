//! Who sells: the identities that people authorize.

use std::collections::HashSet;

use super::{PLATFORMS, Shop, random::Random, words};

/// The most shops of each platform; more are not generated. The five digits at the end of their ids
/// count the shops of all platforms.
pub const MOST_SHOPS: usize = 10_000;

/// Generates the shops of all platforms; at most `per_platform` each.
pub(super) fn generate(seed: u64, per_platform: usize) -> Vec<Shop> {
    let mut shops: Vec<Shop> = Vec::new();
    let mut logins = HashSet::new();
    for (which, platform) in PLATFORMS.into_iter().enumerate() {
        for number in 0..per_platform.min(MOST_SHOPS) {
            let mut shop =
                invent(&mut Random::new(seed, &[1, which as u64, number as u64]), platform, number);
            // The last digits are the number in the world: ids never collide.
            let serial = shops.len() as u64;
            shop.id = shop.id * 100_000 + serial % 100_000;
            shop.user_id = shop.user_id * 100_000 + serial % 100_000;
            shop.member_id = format!("b2b-{}", shop.id);
            while !logins.insert((platform, shop.login.clone())) {
                shop.login.push_str(&number.to_string());
            }
            shops.push(shop);
        }
    }
    shops
}

fn invent(random: &mut Random, platform: &'static str, number: usize) -> Shop {
    let (latin, chinese) = words::shop(random);
    let handle = latin.to_lowercase().replace(' ', "-");
    let digits = random.between(10, 99);
    let places: &[(&str, &str)] = match platform {
        "lazada" => {
            &[("SG", "SGD"), ("MY", "MYR"), ("TH", "THB"), ("VN", "VND"), ("PH", "PHP"), ("ID", "IDR")]
        }
        "daraz" => &[("PK", "PKR"), ("BD", "BDT"), ("LK", "LKR"), ("NP", "NPR"), ("MM", "MMK")],
        "miravia" => &[("ES", "EUR")],
        "1688" | "taobao" => &[("CN", "CNY")],
        "aliexpress" | "aliexpress-legacy" => &[("CN", "USD"), ("ES", "USD")],
        _ => &[("CN", "USD"), ("IN", "USD")],
    };
    let (country, currency) = places[number % places.len()];
    let (login, name) = match platform {
        // The shapes of real logins: protocols 1.5 (`cn100000001`) and 2.3 (an address on Lazada).
        "aliexpress" | "aliexpress-legacy" => (
            format!("{}{}", country.to_lowercase(), random.between(1_000_000_000, 1_999_999_999)),
            format!("{latin} Store"),
        ),
        "lazada" | "daraz" | "miravia" => {
            (format!("{handle}{digits}@seller.example"), format!("{latin} Official"))
        }
        "1688" => (format!("{chinese}{digits}"), format!("{chinese}有限公司")),
        "taobao" => (format!("{chinese}旗舰店{digits}"), format!("{chinese}旗舰店")),
        _ => (format!("{handle}{digits}"), format!("{latin} Co., Ltd.")),
    };
    Shop {
        platform,
        login,
        id: u64::from(random.between(22_000, 99_999)),
        user_id: u64::from(random.between(50_000, 99_999)),
        member_id: String::new(),
        country,
        currency,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_shops_than_there_are_ids_are_not_generated() {
        let shops = generate(1, usize::MAX);
        assert_eq!(shops.len(), PLATFORMS.len() * MOST_SHOPS);
        let ids: HashSet<u64> = shops.iter().map(|shop| shop.id % 100_000).collect();
        assert_eq!(ids.len(), shops.len());
    }

    #[test]
    fn identities_are_unique() {
        let shops = generate(5, 40);
        assert_eq!(shops.len(), PLATFORMS.len() * 40);
        let ids: HashSet<u64> = shops.iter().map(|shop| shop.id).collect();
        assert_eq!(ids.len(), shops.len());
        let logins: HashSet<_> = shops.iter().map(|shop| (shop.platform, &shop.login)).collect();
        assert_eq!(logins.len(), shops.len());
    }
}
