// RUN: expose-parameters
// RESOURCE: w 8x8 random 1
// CHECK: func.func @main(%[[W:.*]]: tensor<8x8xf32> {nn.name = "w", nn.role = "parameter"}, %x: tensor<2x8xf32>
// CHECK-NOT: nn.constant
// CHECK: nn.dot_general %x, %[[W]]
// CHECK: nn.dot_general %{{.*}}, %[[W]]
func.func @main(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %a = nn.constant {resource = "w", shape = [8, 8], element_type = f32} : tensor<8x8xf32>
  %b = nn.constant {resource = "w", shape = [8, 8], element_type = f32} : tensor<8x8xf32>
  %h = nn.dot_general %x, %a {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %y = nn.dot_general %h, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  func.return %y : tensor<2x8xf32>
}
