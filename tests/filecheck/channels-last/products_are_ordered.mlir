// RUN: channels-last,fold
// RESOURCE: w 6x40 random 1
// Constant weights become [k, n]; the keys of an attention keep their rows whole, as [n, k].
// CHECK: nn.constant {resource = "w.1", shape = [40, 6]
// CHECK: nn.dot_general {{.*}} lhs_contract = [1], rhs_contract = [0]}
// CHECK: %[[K:.*]] = nn.transpose %k {permutation = [0, 2, 1, 3]
// CHECK-NEXT: nn.dot_general %q, %[[K]] {lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [3]
func.func @main(%x: tensor<4x40xf32>, %q: tensor<1x2x8x16xf32>, %k: tensor<1x8x2x16xf32>) -> (tensor<4x6xf32>, tensor<1x2x8x8xf32>) {
  %w = nn.constant {resource = "w", shape = [6, 40], element_type = f32} : tensor<6x40xf32>
  %y = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [1]} : (tensor<4x40xf32>, tensor<6x40xf32>) -> tensor<4x6xf32>
  %t = nn.transpose %k {permutation = [0, 2, 3, 1]} : (tensor<1x8x2x16xf32>) -> tensor<1x2x16x8xf32>
  %s = nn.dot_general %q, %t {lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [2]} : (tensor<1x2x8x16xf32>, tensor<1x2x16x8xf32>) -> tensor<1x2x8x8xf32>
  func.return %y, %s : tensor<4x6xf32>, tensor<1x2x8x8xf32>
}
